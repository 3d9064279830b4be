/**
 * This node as the target of orders: accepts them, carries them out at most once, keeps their output, and reports on them. Guarantees that
 * an order is journalled before anything is done, that an id and index is started once however often and by whatever way it comes, and
 * that nobody sees or ends what this node's own grants do not allow. Does not plan, and does not know what other targets do.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { type ExecutionId, MAX_ORDER_LIFETIME_MS, type Work } from '../../../../protocol/orders/order.ts';
import type { Outcome, Part } from '../../../../protocol/orders/outcome.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Member } from '../dispatch.types.ts';
import { policyOf } from '../policy/policy-spec.ts';
import { Installations } from './install/installed.ts';
import { Installer } from './install/installer.ts';
import { resourceDirectory } from './install/safe-name.ts';
import { Journal } from './journal.ts';
import type { JournalRow, RowFacts } from './journal-row.ts';
import { Judge } from './judge.ts';
import { KEEP_IDS_MS, MAX_FOUND, MAX_FOUND_BYTES, SWEEP_MS } from './limits.ts';
import type { LivePart } from './live-part.ts';
import { assertForUs, type CheckedOrder, readOrder } from './order-check.ts';
import { Parts } from './parts.ts';
import { Performer } from './performer.ts';
import { ReadyOrders } from './ready-orders.ts';
import { sweep } from './retention.ts';
import { createDispatchServer } from './serving.ts';
import type { Ending } from './state.ts';
import { Taking } from './taking.ts';
import type {
  BroughtOrder,
  EndedFigures,
  NodePolicy,
  OrderSource,
  PartHandle,
  PreparedOrder,
  Target,
  TargetOptions,
} from './target.types.ts';
import { asLongAs, mayEnd, mayRead } from './visibility.ts';
import { readyCommand } from './work/command-work.ts';
import { readyExec, readyGet, readyPut } from './work/node-work.ts';
import type { ReadyWork, WorkPlace } from './work/work.types.ts';

export function createTarget(options: TargetOptions): Target {
  return new NodeTarget(options);
}

class NodeTarget implements Target {
  readonly installed: Installations;
  readonly #options: TargetOptions;
  readonly #journal: Journal;
  readonly #judge: Judge;
  readonly #installer: Installer;
  readonly #performer: Performer;
  readonly #server: ReturnType<typeof createDispatchServer>;
  readonly #parts: Parts;
  readonly #ended: { outcomes: Record<Outcome, number>; outputBytes: number } = {
    outcomes: { succeeded: 0, failed: 0, refused: 0, unreachable: 0, skipped: 0, unknown: 0 },
    outputBytes: 0,
  };
  readonly #taking: Taking;
  readonly #ready: ReadyOrders;
  #sweeping: NodeJS.Timeout | undefined;
  /** The policy as last read. */
  #policy: NodePolicy = policyOf(undefined);

  constructor(options: TargetOptions) {
    this.#options = options;
    const { store, node, access, audit, policy, members, modules, content, logger, now } = options;
    const decide = access.decide.bind(access);
    const onBad = (key: string, error: unknown) => logger.warn({ err: error, key }, 'A row of the journal cannot be read or removed');
    this.#journal = new Journal(store, node.name, onBad);
    this.#parts = new Parts({ ...options, journal: this.#journal, limits: () => this.#policy.limits });
    const nodeOf = async (key: string) =>
      key === node.signingKey ? node.name : (await policy.read()).trust.find((one) => one.key === key)?.node;
    this.installed = new Installations({ store, node: node.name, decide, nodeOf, logger });
    this.#judge = new Judge({
      node,
      decide,
      audit,
      members,
      policy,
      installations: this.installed,
      restoredAt: () => members.restoredAt(),
      forgotten: () => this.#journal.forgotten,
      nodeObject: options.nodeObject,
      now,
    });
    const here = { node: node.name, signingKey: node.signingKey, data: options.directory };
    this.#installer = new Installer(this.installed, node.name, now);
    const commandOptions = { here, modules, content, installer: this.#installer, now };
    const nodeOptions = { node: node.name, content, now };
    this.#performer = new Performer({
      node: node.name,
      journal: this.#journal,
      judge: this.#judge,
      installations: this.installed,
      policy,
      members,
      ready: async (work: Work, place: WorkPlace): Promise<ReadyWork | undefined> => {
        switch (work.type) {
          case 'command':
            return readyCommand(work, place, commandOptions);
          case 'exec':
            return readyExec(work, place, nodeOptions);
          case 'put':
            return readyPut(work, place, nodeOptions);
          case 'get':
            return readyGet(work, place, nodeOptions);
        }
      },
      onEnd: (part) => {
        this.#parts.ended(part);
        this.#count(part.row.part.outcome ?? 'unknown', part.row.part.offset ?? 0);
      },
      logger,
      now,
    });
    this.#taking = new Taking({
      node: node.name,
      journal: this.#journal,
      judge: this.#judge,
      performer: this.#performer,
      parts: this.#parts,
      installed: this.installed,
      access,
      onPolicy: (read) => {
        this.#policy = read;
      },
      onRefusal: (outcome) => this.#count(outcome, 0),
      now,
    });
    this.#ready = new ReadyOrders({
      store,
      journal: this.#journal,
      parts: this.#parts,
      performer: this.#performer,
      taking: this.#taking,
      members,
      onBad,
    });
    this.#server = createDispatchServer({
      target: this,
      started: () => options.started?.(),
      remoteUser: access.remoteUser.bind(access),
      restoredAt: () => members.restoredAt(),
      now,
      logger,
    });
  }

  async accept(from: OrderSource, brought: BroughtOrder): Promise<PartHandle> {
    const checked = this.#check(from, brought);
    const { id, index } = checked;
    // no await between the last check and the taking: a concurrent `prepare` finds the order taken
    for (let left = this.#ready.settle(id, index); left !== undefined; left = this.#ready.settle(id, index)) await left;
    return this.#parts.known(id, index) ?? this.#taking.accept(from, checked, brought);
  }

  async prepare(from: OrderSource, brought: BroughtOrder): Promise<PreparedOrder> {
    return this.#ready.prepare(from, this.#check(from, brought), brought);
  }

  async find(principal: Principal, idStart: string): Promise<PartHandle[]> {
    const limits = { entries: MAX_FOUND, bytes: MAX_FOUND_BYTES };
    const entries = await this.#journal.find(idStart, limits, (row) => this.#mayRead(row, principal));
    return entries.map(({ row }) => this.#parts.ofRow(row));
  }

  async attach(principal: Principal, id: ExecutionId, index: number): Promise<PartHandle> {
    const part = await this.#parts.lookUp(id, index);
    const mayRead = () => part !== undefined && this.#mayRead(part.row, principal);
    if (part === undefined || !mayRead()) throw notFound(id, index, this.#options.node.name);
    return asLongAs(mayRead, part);
  }

  async abort(principal: Principal, id: ExecutionId, index?: number): Promise<Part[]> {
    const { access, audit, node } = this.#options;
    const decide = access.decide.bind(access);
    const beginning = await this.#ready.started(id);
    await this.#taking.settled(id);
    const visible: { index: number; row: RowFacts }[] = [];
    for await (const entry of index === undefined ? this.#journal.facts(id) : await this.#entry(id, index)) {
      if (this.#mayEndOrRead(entry.row, principal)) visible.push(entry);
    }
    for (const part of beginning) {
      const isNew = (index === undefined || index === part.index) && !visible.some((one) => one.index === part.index);
      if (isNew && this.#mayEndOrRead(part.row, principal)) visible.push(part);
    }
    if (visible.length === 0) throw notFound(id, index, node.name);
    const ends: Promise<Part>[] = [];
    for (const entry of visible) {
      const decision = mayEnd(entry.row, principal, decide, node.name);
      const who = principal.type === 'operator' ? principal.name : principal.display;
      audit.record({
        who,
        ...(principal.type === 'user' && principal.home !== 'self' ? { home: principal.home } : {}),
        verb: 'EXECUTE',
        what: `dtkd.dev/executions/${node.name}/${id}`,
        outcome: decision.allowed ? 'allowed' : 'denied',
        because: `${decision.allowed ? decision.because : decision.reason} (abort)`,
      });
      if (!decision.allowed) {
        if (index === undefined) continue;
        throw new DtkdError('FORBIDDEN', `${who} may not abort this on ${node.name}: ${decision.reason}`);
      }
      const part = this.#parts.live(id, entry.index);
      if (part === undefined) {
        ends.push(Promise.resolve(entry.row.part));
        continue;
      }
      this.#performer.end(part, new DtkdError('ABORTED', `it was aborted by ${who}`));
      ends.push(part.ended);
    }
    if (ends.length === 0) throw new DtkdError('FORBIDDEN', `${principal.name} may not abort any part of this on ${node.name}`);
    return Promise.all(ends);
  }

  known(id: ExecutionId, index: number): Promise<PartHandle | undefined> {
    return this.#parts.lookUp(id, index);
  }

  async *ended(domain: string): ReturnType<Target['ended']> & AsyncGenerator {
    for await (const { id, index, row } of this.#journal.facts()) {
      if (row.from?.domain !== domain || row.part.state !== 'ended') continue;
      yield { starter: row.from.key, id, index, until: row.keepUntil, endedAt: row.part.endedAt ?? row.acceptedAt };
    }
  }

  async cancelled(from: Member, { id, index }: { id: ExecutionId; index: number }): Promise<void> {
    // it may be arriving at this moment
    await this.#ready.settle(id, index);
    await this.#taking.coming(id, index)?.catch(() => undefined);
    const part = this.#parts.live(id, index);
    if (part === undefined || part.row.from?.key !== from.key || part.row.from.domain !== from.domain) return;
    this.#performer.end(part, new DtkdError('ABORTED', `it was withdrawn by ${from.node}`));
    await part.ended;
  }

  counts(): { running: number; waiting: number; known: number } {
    return { ...this.#performer.counts(), known: this.#parts.unended };
  }

  figures(): EndedFigures {
    return { outcomes: { ...this.#ended.outcomes }, outputBytes: this.#ended.outputBytes };
  }

  #count(outcome: Outcome, outputBytes: number): void {
    this.#ended.outcomes[outcome] += 1;
    this.#ended.outputBytes += outputBytes;
  }

  async start(): Promise<void> {
    await this.#parts.letPassAgain();
    await this.installed.load();
    await this.#journal.open();
    const { policy, members, logger } = this.#options;
    this.#policy = await policy.read();
    const accepted: LivePart[] = [];
    const running: LivePart[] = [];
    const lost: LivePart[] = [];
    const restoredAt = members.restoredAt() ?? Number.NEGATIVE_INFINITY;
    await this.#ready.recover(restoredAt);
    for await (const { row } of this.#journal.entries()) {
      const { state } = row.part;
      this.#parts.countUnstarted(row, row.order.length);
      if (state === 'ended') continue;
      const part = this.#parts.make(row, true);
      this.#parts.add(part);
      if (state === 'running') running.push(part);
      else (row.acceptedAt <= restoredAt ? lost : accepted).push(part);
    }
    await this.#parts.removeLeft();
    if (running.length + accepted.length > 0) {
      logger.info({ running: running.length, accepted: accepted.length }, 'Settling commands of an earlier run of the daemon');
    }
    for (const part of running) this.#performer.settle(part);
    // they may have been started after the backup
    for (const part of lost) void this.#performer.finish(part, restoredEnding(this.#options.node.name, this.#options.now()));
    for (const part of accepted.sort((a, b) => a.row.acceptedAt - b.row.acceptedAt)) this.#performer.enqueue(part);
    this.#server.listen(members);
    const tick = () => void this.#sweep();
    this.#sweeping = setInterval(tick, SWEEP_MS);
    this.#sweeping.unref();
    tick();
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweeping);
    this.#performer.stop();
    this.#server.close();
    await Promise.all([this.#taking.stop(), this.#ready.close()]);
    const parts = this.#parts.inMemory();
    await Promise.all(parts.map(({ processes }) => processes.letGo()));
    // output read so far is written out; the rest waits for the next daemon
    await this.#options.runner.close();
    await Promise.all(parts.map(({ output }) => output.close()));
    await Promise.all(parts.map((part) => this.#performer.putBack(part)));
  }

  /** Errors: ORDER_INVALID, FRAME_INVALID. */
  #check(from: OrderSource, { order }: BroughtOrder): CheckedOrder {
    // copied, since the decoded fields are views of bytes that may be a small part of a frame with a bundle
    const checked = readOrder(Uint8Array.from(order));
    const { node, now } = this.#options;
    const parties =
      from.type === 'self'
        ? { domain: '', self: node.signingKey, starter: node.signingKey }
        : { domain: from.member.domain, self: from.member.selfKey, starter: from.member.key };
    assertForUs(checked, parties, now());
    return checked;
  }

  async #entry(id: ExecutionId, index: number): Promise<{ index: number; row: JournalRow }[]> {
    const part = await this.#parts.lookUp(id, index);
    return part === undefined ? [] : [{ index, row: part.row }];
  }

  #mayEndOrRead(row: RowFacts, principal: Principal): boolean {
    const { access, node } = this.#options;
    return mayEnd(row, principal, access.decide.bind(access), node.name).allowed || this.#mayRead(row, principal);
  }

  #mayRead(row: RowFacts, principal: Principal): boolean {
    const { access, node } = this.#options;
    return mayRead(row, principal, access.decide.bind(access), node.name);
  }

  async #sweep(): Promise<void> {
    const { policy, logger, now } = this.#options;
    try {
      const { limits } = await policy.read();
      const spoolOf = (id: ExecutionId, index: number) => this.#parts.spoolPath(id, index);
      const gone = await sweep(this.#journal, limits, { now: now(), spoolOf });
      for (const entry of gone) this.#parts.forget(entry);
    } catch (error) {
      logger.warn({ err: error }, 'Old output could not be removed');
    }
    await this.#forgetTakenDown().catch((err: unknown) => logger.warn({ err }, 'What was taken down could not be forgotten'));
  }

  /** Forgets resources that were taken down when their output has gone, and no order from before can come any more. */
  async #forgetTakenDown(): Promise<void> {
    const { policy, directory: data, logger, now } = this.#options;
    const { keepForMs } = (await policy.read()).limits;
    for await (const down of this.installed.down(now() - Math.max(keepForMs, MAX_ORDER_LIFETIME_MS + KEEP_IDS_MS))) {
      const directory = resourceDirectory(data, down.owner, down.down);
      try {
        const found = await this.#installer.forget(down, directory, () => this.#parts.isBusyWith(down.object));
        if (found === undefined) continue;
        logger.info({ directory, found }, 'The directory of a resource that was taken down has more than dtkd wrote, and is left to you');
      } catch (err) {
        logger.warn({ err, directory }, 'What a resource that was taken down had here could not be removed');
      }
    }
  }
}

function restoredEnding(node: string, endedAt: number): Ending {
  const reason = `${node} was restored from an older state after it had taken this: it may have been started since. Check there, then start it again`;
  return { outcome: 'unknown', endedAt, code: 'CONFLICT', reason };
}

function notFound(id: string, index: number | undefined, node: string): DtkdError {
  const what = index === undefined ? `execution ${id.slice(0, 12)}` : `part ${index} of execution ${id.slice(0, 12)}`;
  return new DtkdError('NOT_FOUND', `${node} knows no ${what}`, { next: 'See "dtkd executions ls".' });
}
