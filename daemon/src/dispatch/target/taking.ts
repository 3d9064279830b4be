/**
 * Takes orders: decides about each, journals it before anything is done, and hands it to the performer. Guarantees that an id and index
 * is taken once, however often and by whatever way it comes, and that a refusal is final. Carries nothing out itself.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { Outcome, Part } from '../../../../protocol/orders/outcome.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import type { DispatchAccess, Member } from '../dispatch.types.ts';
import { writePins } from '../policy/policy.ts';
import { whatOf } from './about.ts';
import type { Installations } from './install/installed.ts';
import type { Journal } from './journal.ts';
import { type JournalRow, rowKey, rowKeysOf } from './journal-row.ts';
import { type Asker, type Judge, sentence, type Verdict } from './judge.ts';
import { KEEP_IDS_MS, MAX_TAKEN_BYTES_PER_STARTER, MAX_WAITING_PER_STARTER } from './limits.ts';
import type { LivePart } from './live-part.ts';
import type { CheckedOrder } from './order-check.ts';
import type { Parts } from './parts.ts';
import type { Performer } from './performer.ts';
import { ended } from './state.ts';
import type { BroughtOrder, NodePolicy, OrderSource } from './target.types.ts';

export interface TakingOptions {
  node: string;
  journal: Journal;
  judge: Pick<Judge, 'decide'>;
  performer: Performer;
  parts: Parts;
  installed: Pick<Installations, 'keep' | 'kept'>;
  access: Pick<DispatchAccess, 'remoteUser'>;
  /** Called with the policy as last read. */
  onPolicy(policy: NodePolicy): void;
  /** Called when a part ends on arrival. */
  onRefusal(outcome: Outcome): void;
  now(): number;
}

/** The verdict on an order, and its row for the journal. */
export interface Judged {
  verdict: Verdict;
  row: JournalRow;
}

export class Taking {
  readonly #options: TakingOptions;
  readonly #coming = new Map<string, Promise<LivePart>>();
  #stopped = false;

  constructor(options: TakingOptions) {
    this.#options = options;
  }

  /** Takes an order whose part is not in memory. Errors: as `Target.accept`. */
  accept(from: OrderSource, order: CheckedOrder, brought: BroughtOrder): Promise<LivePart> {
    const key = rowKey(order.id, order.index);
    const coming = this.#coming.get(key) ?? this.#take(from, order, brought).finally(() => this.#coming.delete(key));
    this.#coming.set(key, coming);
    return coming;
  }

  /** The part of an order that is arriving at this moment. */
  coming(id: ExecutionId, index: number): Promise<LivePart> | undefined {
    return this.#coming.get(rowKey(id, index));
  }

  /** Resolves when the orders of an execution that are arriving at this moment have been taken, or not. */
  async settled(id: ExecutionId): Promise<void> {
    const own = [...this.#coming].filter(([key]) => key.startsWith(rowKeysOf(id)));
    await Promise.allSettled(own.map(([, coming]) => coming));
  }

  /** Decides about a new order, from what this node knows now. `ahead`: it does not start yet. Errors: what `fetchBundle` throws. */
  async judge(
    from: OrderSource,
    order: CheckedOrder,
    { bundle, fetchBundle }: Omit<BroughtOrder, 'order'>,
    ahead = false,
  ): Promise<Judged> {
    const { access, judge, onPolicy } = this.#options;
    const member = from.type === 'member' ? from.member : undefined;
    const asker: Asker =
      from.type === 'self'
        ? from.principal
        : from.user === undefined
          ? { type: 'nobody' }
          : access.remoteUser({ peerKey: from.member.key, namespace: from.member.node }, from.user);
    const verdict = await judge.decide({ order, asker, from: member, bundle, fetchBundle, known: false, ahead });
    onPolicy(verdict.policy);
    return { verdict, row: this.#newRow(order, asker, member, verdict) };
  }

  /**
   * Makes a part that ends on arrival. It is not recorded if it was refused with TOO_MANY_REQUESTS, or if too many of its starter are
   * remembered. No object shows it, since anybody could cause any number of them.
   */
  async refuse(
    order: CheckedOrder,
    row: JournalRow,
    { outcome, code, reason }: { outcome: Part['outcome']; code: string; reason: string },
  ): Promise<LivePart> {
    const { parts, journal, now, onRefusal } = this.#options;
    onRefusal(outcome ?? 'refused');
    const over = ended(row, { outcome: outcome ?? 'refused', endedAt: now(), code, reason });
    const part = parts.make(over, false, order);
    if (code === 'TOO_MANY_REQUESTS' || !parts.countUnstarted(over, over.order.length)) return part;
    await journal.note(part.id, part.index, over);
    return parts.ended(part);
  }

  /** True if the starter has too much waiting or running here already. */
  isTooMuch(order: CheckedOrder, row: JournalRow, besides = { orders: 0, bytes: 0 }): boolean {
    const taken = this.#options.parts.takenOf(row);
    return (
      taken.orders + besides.orders >= MAX_WAITING_PER_STARTER ||
      taken.bytes + besides.bytes + order.bytes.length > MAX_TAKEN_BYTES_PER_STARTER
    );
  }

  /** Keeps an order's bundle and pins, in the transaction that records it; to be followed by `kept` once that is durable. */
  async keep(tx: Transaction, { bundle, policy }: Extract<Verdict, { go: true }>, pins: NodePolicy['pins']): Promise<void> {
    const { installed, node } = this.#options;
    if (bundle !== undefined) await installed.keep(tx, bundle);
    await writePins(tx, node, pins, policy.pins);
  }

  kept({ bundle }: Extract<Verdict, { go: true }>): void {
    if (bundle !== undefined) this.#options.installed.kept(bundle);
  }

  /** Takes no more orders. Resolves when those that are arriving have been taken, or not. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled(this.#coming.values());
  }

  /** Errors: UNAVAILABLE. */
  assertOpen(): void {
    if (this.#stopped) throw new DtkdError('UNAVAILABLE', 'this daemon is stopping', { next: 'Send it again when it is back.' });
  }

  /** Finds the order in the journal, or takes it as a new one. */
  async #take(from: OrderSource, order: CheckedOrder, brought: BroughtOrder): Promise<LivePart> {
    const { journal, parts } = this.#options;
    const row = await journal.expect(order.id, order.index);
    if (row !== undefined) return parts.ofRow(row);
    this.assertOpen();
    try {
      return await this.#takeNew(from, order, brought);
    } catch (error) {
      // another order has just pinned the same code: decide again
      if (error instanceof DtkdError && error.code === 'CONFLICT') return this.#takeNew(from, order, brought);
      throw error;
    }
  }

  async #takeNew(from: OrderSource, order: CheckedOrder, brought: BroughtOrder): Promise<LivePart> {
    const { node, parts, performer } = this.#options;
    const { verdict, row } = await this.judge(from, order, brought);
    if (!verdict.go) return this.refuse(order, row, verdict);
    if (this.isTooMuch(order, row)) {
      return this.refuse(order, row, {
        outcome: 'refused',
        code: 'TOO_MANY_REQUESTS',
        reason: `too many parts of the same node wait on ${node} already`,
      });
    }
    const part = parts.make(row, true, order);
    if (!performer.takeNow(part, verdict.policy)) {
      await this.#write(part, row, verdict, {});
      performer.enqueue(part);
      return part;
    }
    let handed = false;
    try {
      const ready = await performer.readyNow(part, verdict).catch((error: unknown) => {
        if (error instanceof DtkdError) return error;
        throw error;
      });
      if (ready instanceof DtkdError) {
        return await this.refuse(order, row, { outcome: 'refused', code: ready.code, reason: sentence(ready) });
      }
      const next = ready === undefined ? row : performer.startedRow(part, ready, verdict.policy);
      await this.#write(part, next, verdict, ready?.pins ?? {});
      handed = true;
      performer.perform(part, { work: ready, verdict });
      return part;
    } finally {
      if (!handed) performer.giveBack();
    }
  }

  async #write(part: LivePart, row: JournalRow, verdict: Extract<Verdict, { go: true }>, pins: NodePolicy['pins']): Promise<void> {
    const { journal, parts } = this.#options;
    const withdraw = parts.announce(part);
    try {
      await journal.write(part.checked, row, true, (tx) => this.keep(tx, verdict, pins));
      this.kept(verdict);
      parts.add(part);
      part.set(row);
    } finally {
      withdraw();
    }
  }

  #newRow(order: CheckedOrder, principal: Asker, member: Member | undefined, { about }: Verdict): JournalRow {
    const { header, entry, index, bytes } = order;
    return {
      version: 1,
      order: bytes,
      ...(member === undefined ? {} : { from: { domain: member.domain, key: member.key, node: member.node } }),
      principal,
      about,
      part: { index, node: entry.node, what: whatOf(entry.work), state: 'accepted' },
      acceptedAt: this.#options.now(),
      keepUntil: header.notAfter + KEEP_IDS_MS,
    };
  }
}
