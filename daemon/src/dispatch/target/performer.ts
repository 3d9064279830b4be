/**
 * Carries out accepted parts: gives them their turns, prepares their work, starts it once, and records how it ended. Guarantees that a
 * start is on disk before anything is started, that an end is on disk before it is reported, and that what an earlier daemon had started
 * is settled and never started again. Does not decide: the judge does, again for what waited, and once more after something was fetched
 * for it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { instanceOfCode, instanceOfType, isLeftCode } from '../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Work } from '../../../../protocol/orders/order.ts';
import type { CheckedBundle } from '../../../../protocol/orders/signed-bundle.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { Seldom } from '../../logging/seldom.ts';
import { within } from '../../signals/within.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { ofScript, resultOf } from '../commands/ended.ts';
import type { Members } from '../dispatch.types.ts';
import { dropPins, isFollowed, writePins } from '../policy/policy.ts';
import { endingOf, settledEnding } from './ending.ts';
import type { Installations } from './install/installed.ts';
import type { Journal } from './journal.ts';
import type { JournalRow } from './journal-row.ts';
import { type Judge, sentence, type Verdict } from './judge.ts';
import type { LivePart } from './live-part.ts';
import { startableFrom } from './order-check.ts';
import { PartQueue } from './queue.ts';
import { settledFile } from './settled-file.ts';
import { type Ending, ended, started, unstarted } from './state.ts';
import type { NodePolicy, PolicyReader } from './target.types.ts';
import type { ReadyWork, WorkPlace, WorkResult } from './work/work.types.ts';

/** The longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** How often a part that waits for its start time checks the clock, which can be set; and timers stand still while a machine sleeps. */
const LOOK_MS = 30_000;
/** Between two attempts to record how something ended, while the disk fails. */
const WRITE_AGAIN_MS = 5_000;
/** By convention, the command of a type that takes down what a service has set up. */
const DELETE = 'delete';

export interface PerformerOptions {
  node: string;
  journal: Journal;
  judge: Judge;
  installations: Installations;
  policy: PolicyReader;
  members: Pick<Members, 'byKey'>;
  /** Prepares work. Undefined if something would have to be fetched and may not be. */
  ready(work: Work, place: WorkPlace): Promise<ReadyWork | undefined>;
  /** Called when a part has ended. */
  onEnd(part: LivePart): void;
  logger: Logger;
  now(): number;
}

export class Performer {
  readonly #options: PerformerOptions;
  readonly #queue = new PartQueue<LivePart>();
  readonly #timers = new Map<LivePart, NodeJS.Timeout>();
  /** Parts whose end is being recorded. */
  readonly #finishing = new Set<LivePart>();
  readonly #forgetPolicy: () => void;
  readonly #seldom = new Seldom();
  #stopped = false;

  constructor(options: PerformerOptions) {
    this.#options = options;
    // the new policy may allow more at a time
    this.#forgetPolicy = options.policy.onChange(() => this.#pump());
  }

  counts(): { running: number; waiting: number } {
    return { running: this.#queue.running, waiting: this.#queue.waiting() + this.#timers.size };
  }

  /** Takes a turn if one is free now; to be followed by `perform`, or by `giveBack`. */
  takeNow(part: LivePart, policy: NodePolicy): boolean {
    return !this.#stopped && startableFrom(part.checked.header) <= this.#options.now() && this.#queue.takeNow(policy.limits.concurrency);
  }

  giveBack(): void {
    this.#queue.done();
    this.#pump();
  }

  /** The prepared work of a part; undefined if something has to be fetched first. Errors: why it is refused. */
  readyNow(part: LivePart, verdict: { policy: NodePolicy; bundle: CheckedBundle | undefined }): Promise<ReadyWork | undefined> {
    return this.#ready(part, verdict, false, part.ending.signal);
  }

  /** The row of a part that starts now. */
  startedRow(part: LivePart, work: ReadyWork, policy: NodePolicy): JournalRow {
    const at = this.#options.now();
    const deadline = at + Math.min(part.checked.header.timeoutMs, policy.limits.timeoutMs);
    return started(part.row, { at, deadline, plain: work.plain, secrets: work.secrets });
  }

  /** Queues a journalled part. */
  enqueue(part: LivePart): void {
    if (this.#stopped) return;
    const wait = startableFrom(part.checked.header) - this.#options.now();
    if (wait > 0) {
      const timer = setTimeout(() => this.enqueue(part), Math.min(wait, LOOK_MS));
      timer.unref();
      this.#timers.set(part, timer);
      return;
    }
    this.#timers.delete(part);
    this.#queue.add(part.starter, part);
    this.#pump();
  }

  /**
   * Carries out a part that has its turn. `work`: given if it is prepared and recorded as started. `verdict`: given if it was decided
   * just now.
   */
  perform(part: LivePart, { work, verdict }: { work?: ReadyWork | undefined; verdict?: Verdict } = {}): void {
    void this.#inTurn(part, async () => {
      const ready = work ?? (await this.#prepare(part, verdict));
      if (ready !== undefined) await this.#run(part, ready, part.row.deadline);
    });
  }

  /**
   * Starts a part that has its turn and is recorded on disk as one that may start at any time. Records the start meanwhile, in a
   * transaction with `also`; resolves once that is durable. Never rejects.
   */
  async begin(part: LivePart, work: ReadyWork, policy: NodePolicy, also: (tx: Transaction) => void): Promise<void> {
    const row = this.startedRow(part, work, policy);
    const written = this.#writeSurely(part, row, true, async (tx) => also(tx));
    void this.#inTurn(part, async () => {
      try {
        await this.#run(part, work, row.deadline, written);
      } finally {
        await written;
      }
    });
    await written;
  }

  /** Goes on with a part that was running when an earlier daemon stopped. */
  settle(part: LivePart): void {
    this.#queue.takeAnyway();
    part.processes.mayHaveBegun();
    void this.#inTurn(part, async () => {
      const { work } = part.checked.entry;
      const { now, node, logger } = this.#options;
      // opened even if nothing more is written: the spool says where the output ends
      await part.output
        .open()
        .catch((error: unknown) => logger.warn({ err: error, id: part.id, index: part.index }, 'The output of a command cannot be opened'));
      if (work.type === 'put' || work.type === 'get') {
        await this.finish(part, await settledFile(work, node, now()));
        return;
      }
      const left = await part.processes.left();
      const timeoutMs = Math.max(0, (part.row.deadline ?? now()) - now());
      const limits = { timeoutMs, signal: part.ending.signal };
      const results = await Promise.all(left.map((run) => part.processes.adopt(run, part.row.secrets ?? [], limits)));
      const ends = results.map((result) => resultOf(ofScript(result)));
      // it may have ended long ago, while no daemon ran
      const endedAt = Math.max(...results.map((result) => result.endedAt ?? now()), part.row.part.startedAt ?? 0);
      await this.finish(part, settledEnding(ends, part.row.plain === true, node, results.length === 0 ? now() : endedAt));
    });
  }

  /** Ends a part early. A waiting one is skipped; a running one is ended with all its processes. */
  end(part: LivePart, why: DtkdError): void {
    if (part.row.part.state === 'ended' || part.ending.signal.aborted) return;
    part.ending.abort(why);
    const timer = this.#timers.get(part);
    clearTimeout(timer);
    if (!this.#timers.delete(part) && !this.#queue.remove(part.starter, part)) return;
    this.finish(part, { outcome: 'skipped', endedAt: this.#options.now(), code: why.code, reason: why.message }).catch((error: unknown) =>
      this.#options.logger.warn({ err: error, id: part.id }, 'A part that was aborted could not be ended'),
    );
  }

  /** Records how a part ended, retrying as long as the disk fails; then reports it. */
  async finish(part: LivePart, ending: Ending): Promise<void> {
    const { onEnd } = this.#options;
    if (this.#stopped && canBePutBack(part)) return;
    this.#finishing.add(part);
    const { offset, dropped } = await part.output.finish();
    if (!(await this.#writeSurely(part, ended(part.row, { ...ending, offset, dropped }), false, this.#takenDown(part, ending)))) return;
    this.#finishing.delete(part);
    void part.processes.clear();
    onEnd(part);
  }

  /** What is written in the transaction of the end of a command that has taken down a resource of a service. */
  #takenDown({ checked }: LivePart, { outcome, endedAt }: Ending): ((tx: Transaction) => Promise<void>) | undefined {
    const { work } = checked.entry;
    if (outcome !== 'succeeded' || work.type !== 'command' || work.command !== DELETE) return undefined;
    const service = instanceOfType(work.resource.type);
    if (service === undefined) return undefined;
    const { installations, node } = this.#options;
    return async (tx) => {
      await installations.takenDown(tx, work, endedAt);
      // newer code of a followed publisher runs anyway, and services under ever new names would leave pins for ever; code of others stays
      // pinned
      const isOver = (await isFollowed(tx, node, work.owner)) && !(await installations.isLeftOf(tx, work.owner, service));
      // code under such a name only serves to take leftovers down; if there are more of them, it is pinned again
      const isNeedless = (code: string) =>
        (isLeftCode(code) && Object.hasOwn(work.code, code)) || (isOver && instanceOfCode(code) === service);
      await dropPins(tx, node, work.owner, isNeedless);
    };
  }

  /** For a daemon that stops: a part that was about to start is left for the next one. */
  async putBack(part: LivePart): Promise<void> {
    if (this.#finishing.has(part) || !canBePutBack(part)) return;
    const { journal, logger } = this.#options;
    try {
      await journal.write(part.checked, unstarted(part.row), false);
    } catch (error) {
      logger.warn({ err: error, id: part.id, index: part.index }, 'A command that was not started yet will be reported as unknown');
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#forgetPolicy();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /**
   * Decides a part that has waited again, fetches what it needs, and decides once more if that took place. `just`: a verdict made just
   * now. Undefined: the part has ended instead.
   */
  async #prepare(part: LivePart, just: Verdict | undefined): Promise<ReadyWork | undefined> {
    const { checked, ending } = part;
    try {
      ending.signal.throwIfAborted();
      for (let verdict = just ?? (await this.#decide(part)); ; ) {
        if (!verdict.go) {
          await this.finish(part, { outcome: verdict.outcome, endedAt: this.#options.now(), code: verdict.code, reason: verdict.reason });
          return undefined;
        }
        const { policy } = verdict;
        const here = await this.#ready(part, verdict, false, ending.signal);
        const time = Math.min(checked.header.timeoutMs, policy.limits.timeoutMs, MAX_TIMER_MS);
        const work = here ?? (await this.#ready(part, verdict, true, within(time, ending.signal)));
        if (work === undefined) throw new DtkdError('CONTENT_MISSING', 'something that it needs is not here');
        const last = here === undefined ? await this.#decide(part) : verdict;
        ending.signal.throwIfAborted();
        if (isSame(verdict, last)) {
          await this.#start(part, this.startedRow(part, work, policy), work, policy);
          return work;
        }
        verdict = last;
      }
    } catch (error) {
      if (part.row.part.state !== 'accepted') throw error;
      await this.finish(part, this.#refusal(error, ending.signal));
      return undefined;
    }
  }

  #decide({ checked, row }: LivePart): Promise<Verdict> {
    return this.#options.judge.decide({ order: checked, asker: row.principal, from: this.#from(row), bundle: undefined, known: true });
  }

  async #run(part: LivePart, work: ReadyWork, deadline = this.#options.now(), written?: Promise<unknown>): Promise<void> {
    const result = await part.output.open().then(
      () => work.run({ signal: part.ending.signal, deadline }),
      (error: unknown) => notStarted(error),
    );
    await written;
    await this.finish(part, endingOf(result, this.#options.now()));
  }

  /** Writes a row, retrying as long as the disk fails; then shows it. False if the daemon stops first. */
  async #writeSurely(part: LivePart, row: JournalRow, fresh: boolean, also?: (tx: Transaction) => Promise<void>): Promise<boolean> {
    const { journal, logger } = this.#options;
    for (;;) {
      try {
        await journal.write(part.checked, row, fresh, also);
        part.set(row);
        return true;
      } catch (error) {
        if (this.#stopped) return false;
        this.#seldom.say('write', (unsaid) =>
          logger.warn(
            { err: error, id: part.id, index: part.index, ...unsaid },
            'The progress of a command could not be recorded; trying again',
          ),
        );
        await delay(WRITE_AGAIN_MS, undefined, { ref: false });
      }
    }
  }

  async #start(part: LivePart, row: JournalRow, work: ReadyWork, policy: NodePolicy): Promise<void> {
    const { journal, node } = this.#options;
    await journal.write(part.checked, row, false, (tx) => writePins(tx, node, work.pins, policy.pins));
    part.set(row);
  }

  #refusal(error: unknown, signal: AbortSignal): Ending {
    const endedAt = this.#options.now();
    if (signal.aborted) {
      const why: unknown = signal.reason;
      return { outcome: 'skipped', endedAt, code: 'ABORTED', reason: why instanceof DtkdError ? why.message : 'it was aborted' };
    }
    if (error instanceof DtkdError) return { outcome: 'refused', endedAt, code: error.code, reason: sentence(error) };
    this.#options.logger.warn({ err: error }, 'A part could not be made ready');
    return {
      outcome: 'refused',
      endedAt,
      code: 'INTERNAL',
      reason: `something went wrong in dtkd on ${this.#options.node} before it was started`,
    };
  }

  #ready(
    part: LivePart,
    { policy, bundle }: { policy: NodePolicy; bundle: CheckedBundle | undefined },
    mayFetch: boolean,
    signal: AbortSignal,
  ): Promise<ReadyWork | undefined> {
    const { output, processes, checked, row } = part;
    const from = this.#from(row);
    processes.underPolicy(policy.limits);
    return this.#options.ready(checked.entry.work, {
      output,
      processes,
      policy,
      bundle,
      from,
      notAfter: checked.header.notAfter,
      signal,
      mayFetch,
    });
  }

  #from({ from }: JournalRow) {
    if (from === undefined) return undefined;
    return (
      this.#options.members.byKey(from.domain, from.key) ?? {
        node: from.node,
        domain: from.domain,
        key: from.key,
        selfKey: '',
        reach: 'away' as const,
      }
    );
  }

  async #inTurn(part: LivePart, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.logger.warn({ err: error, id: part.id, index: part.index }, 'Something went wrong while a part was carried out');
      await this.#broken(part);
    } finally {
      this.#queue.done();
      this.#pump();
    }
  }

  /** Ends a part after an internal error, when nobody can say what ran. */
  async #broken(part: LivePart): Promise<void> {
    const { state } = part.row.part;
    if (state === 'ended' || this.#stopped) return;
    const outcome = state === 'running' ? 'unknown' : 'refused';
    const reason = `something went wrong in dtkd on ${this.#options.node}; its log tells more`;
    await this.finish(part, { outcome, endedAt: this.#options.now(), code: 'INTERNAL', reason }).catch(() => undefined);
  }

  #pump(): void {
    if (this.#stopped || this.#queue.waiting() === 0) return;
    void this.#options.policy.read().then(
      ({ limits }) => {
        for (let part = this.#next(limits.concurrency); part !== undefined; part = this.#next(limits.concurrency)) this.perform(part);
      },
      (error: unknown) => this.#options.logger.warn({ err: error }, 'The policy could not be read; commands wait'),
    );
  }

  #next(limit: number): LivePart | undefined {
    return this.#stopped ? undefined : this.#queue.next(limit);
  }
}

/** The result of a command that was not started because its output cannot be kept. */
function notStarted(error: unknown): WorkResult {
  if (!(error instanceof DtkdError)) throw error;
  const { code, message } = error;
  return { ok: false, error: { code, message }, reason: `it was not started: ${message}` };
}

/** True if what was prepared under one verdict is right under the other. */
function isSame(one: Verdict, other: Verdict): boolean {
  if (!one.go || !other.go || one.policy !== other.policy) return false;
  const [bundle, now] = [one.bundle?.bytes, other.bundle?.bytes];
  return bundle === now || (bundle !== undefined && now !== undefined && Buffer.compare(bundle, now) === 0);
}

/** True if the part counts as started but no process was: the next daemon may start it. */
function canBePutBack({ row, processes, checked }: LivePart): boolean {
  const { type } = checked.entry.work;
  return row.part.state === 'running' && processes.untouched && (type === 'command' || type === 'exec');
}
