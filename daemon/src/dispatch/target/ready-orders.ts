/**
 * Orders that arrive before their turn: decided, prepared and recorded on disk, they start on a word, without waiting for the disk.
 * Guarantees that none starts without the word; that each is decided again when the word comes, from what this node knows then; that a
 * released one leaves no trace; and that after a crash the journal names what may have been started. They take no slots: each gets its
 * turn when it starts.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { Members } from '../dispatch.types.ts';
import { bootId } from '../runner/identity.ts';
import type { Journal } from './journal.ts';
import { rowKey } from './journal-row.ts';
import type { Verdict } from './judge.ts';
import { MAX_READY_BYTES_PER_STARTER, MAX_READY_PER_STARTER, READY_MS } from './limits.ts';
import type { LivePart } from './live-part.ts';
import { type CheckedOrder, readOrder } from './order-check.ts';
import type { Parts } from './parts.ts';
import type { Performer } from './performer.ts';
import { encodeReadyRow, readyKey, readyRows } from './ready-rows.ts';
import type { Taking } from './taking.ts';
import type { BroughtOrder, OrderSource, PartHandle, PreparedOrder } from './target.types.ts';
import type { ReadyWork } from './work/work.types.ts';

export interface ReadyOrdersOptions {
  store: ObjectStore;
  journal: Journal;
  parts: Parts;
  performer: Performer;
  taking: Taking;
  members: Pick<Members, 'byKey'>;
  /** Called with rows that cannot be read or removed. */
  onBad(key: string, error: unknown): void;
}

/** A ready order, with all that its start takes. */
interface Ready {
  part: LivePart;
  work: ReadyWork;
  verdict: Extract<Verdict, { go: true }>;
}

export class ReadyOrders {
  readonly #options: ReadyOrdersOptions;
  readonly #orders = new Map<string, ReadyOrder>();

  constructor(options: ReadyOrdersOptions) {
    this.#options = options;
  }

  /** Makes an order ready. Errors: any reason why it may not run or cannot be made ready; then nothing of it is kept. */
  async prepare(from: OrderSource, order: CheckedOrder, brought: BroughtOrder): Promise<PreparedOrder> {
    const key = rowKey(order.id, order.index);
    await this.#orders.get(key)?.leave();
    const { parts, taking } = this.#options;
    if (this.#orders.has(key) || parts.known(order.id, order.index) !== undefined || taking.coming(order.id, order.index) !== undefined) {
      throw new DtkdError('CONFLICT', 'this order is known already');
    }
    taking.assertOpen();
    const starter = order.entry.starter;
    const besides = this.#sumOf(starter);
    const bytes = order.bytes.length + (brought.bundle?.length ?? 0);
    if (besides.orders >= MAX_READY_PER_STARTER || besides.bytes + bytes > MAX_READY_BYTES_PER_STARTER) {
      throw new DtkdError('TOO_MANY_REQUESTS', 'too many orders of the same node are ready already');
    }
    // copies, since these may be small parts of a frame
    const bundle = brought.bundle === undefined ? undefined : Uint8Array.from(brought.bundle);
    const own = { ...brought, order: order.bytes, bundle };
    const ready = new ReadyOrder(this.#options, { from, order, brought: own, bytes, besides }, () => this.#orders.delete(key));
    this.#orders.set(key, ready);
    await ready.make();
    return ready;
  }

  /**
   * Resolves once the order has been started or dropped, so that a caller who acts then sees a settled state. Undefined if nothing is
   * pending.
   */
  settle(id: ExecutionId, index: number): Promise<void> | undefined {
    return this.#orders.get(rowKey(id, index))?.leave();
  }

  /** The parts of an execution that have got the word, once they go on, even if that cannot be recorded yet. */
  async started(id: ExecutionId): Promise<LivePart[]> {
    const own = [...this.#orders.values()].filter((one) => one.id === id);
    return (await Promise.all(own.map(({ starting }) => starting))).filter((part) => part !== undefined);
  }

  /** Drops all ready orders. */
  async close(): Promise<void> {
    await Promise.all([...this.#orders.values()].map((order) => order.leave()));
  }

  /**
   * Goes through the orders that an earlier daemon left: records those that may have been started in the journal, and forgets the rest.
   * `restoredAt`: rows from before that time may be out of date.
   */
  async recover(restoredAt: number): Promise<void> {
    const { store, journal, onBad } = this.#options;
    const boot = await bootId();
    for await (const { boot: of, row } of readyRows(store.kv, onBad)) {
      const order = readOrder(row.order);
      const key = readyKey(order.id, order.index);
      const known = (await journal.get(order.id, order.index)) !== undefined;
      const certain = of === boot && row.acceptedAt > restoredAt;
      // the next daemon comes to the same conclusion about a row that could not be removed
      if (known || (certain && (await this.#isUntouched(order, row)))) {
        await store.transact(async (tx) => tx.delRow(key)).catch((error: unknown) => onBad(key, error));
      } else await journal.write(order, row, true, async (tx) => tx.delRow(key));
    }
  }

  /** True if no process of it was ever started: each gets a directory before it starts. */
  async #isUntouched(order: CheckedOrder, row: LivePart['row']): Promise<boolean> {
    const { processes } = this.#options.parts.make(row, false, order);
    const left = await processes.left().catch(() => undefined);
    if (left?.length !== 0) return false;
    await processes.clear();
    return true;
  }

  #sumOf(starter: string): { orders: number; bytes: number } {
    const own = [...this.#orders.values()].filter((one) => one.starter === starter);
    return { orders: own.length, bytes: own.reduce((sum, { bytes }) => sum + bytes, 0) };
  }
}

interface Given {
  from: OrderSource;
  order: CheckedOrder;
  brought: BroughtOrder;
  bytes: number;
  /** What else of its starter is ready already. */
  besides: { orders: number; bytes: number };
}

class ReadyOrder implements PreparedOrder {
  readonly #options: ReadyOrdersOptions;
  readonly #given: Given;
  readonly #forget: () => void;
  #making: Promise<Ready> | undefined;
  #starting: Promise<LivePart | undefined> | undefined;
  /** Set once it starts or is dropped, whichever comes first. */
  #over: Promise<unknown> | undefined;

  constructor(options: ReadyOrdersOptions, given: Given, forget: () => void) {
    this.#options = options;
    this.#given = given;
    this.#forget = forget;
  }

  get id(): ExecutionId {
    return this.#given.order.id;
  }

  get starter(): string {
    return this.#given.order.entry.starter;
  }

  get bytes(): number {
    return this.#given.bytes;
  }

  async make(): Promise<void> {
    this.#making = this.#make();
    try {
      await this.#making;
    } catch (error) {
      await this.leave();
      throw error;
    }
  }

  async go(): Promise<PartHandle> {
    const making = this.#making;
    if (this.#over !== undefined || making === undefined) throw new DtkdError('UNAVAILABLE', 'this order was released');
    const starting = making.then((ready) => this.#start(ready));
    const written = starting.then(async ({ part, noted }) => noted.then(() => part)).finally(this.#forget);
    this.#starting = starting.then(
      ({ part }) => part,
      () => undefined,
    );
    this.#over = written.catch(() => undefined);
    return written;
  }

  /** Set when the word has come; resolves with the part when it goes on, or with undefined if it does not. */
  get starting(): Promise<LivePart | undefined> | undefined {
    return this.#starting;
  }

  async leave(): Promise<void> {
    this.#over ??= this.#drop().finally(this.#forget);
    await this.#over;
  }

  async #make(): Promise<Ready> {
    const { store, parts, performer, taking, journal } = this.#options;
    const { from, order, brought, besides } = this.#given;
    if ((await journal.expect(order.id, order.index)) !== undefined) throw new DtkdError('CONFLICT', 'this order is known already');
    const { verdict, row } = await taking.judge(from, order, brought, true);
    if (!verdict.go) throw new DtkdError('FORBIDDEN', verdict.reason);
    if (taking.isTooMuch(order, row, besides)) throw new DtkdError('TOO_MANY_REQUESTS', 'too many orders of the same node are here');
    const { type } = order.entry.work;
    // the start is recorded when it cannot be taken back any more, so the object must always have room: it does for a single part
    if ((type !== 'command' && type !== 'exec') || order.header.count > 1) {
      throw new DtkdError('UNAVAILABLE', 'only what runs processes on one node can be made ready');
    }
    const part = parts.make(row, true, order);
    const work = await performer.readyNow(part, verdict);
    // code seen for the first time is pinned when the order starts, which is not done here
    if (work === undefined || Object.keys(work.pins).length > 0) throw new DtkdError('UNAVAILABLE', 'more has to be done for it first');
    const begun = performer.startedRow(part, work, verdict.policy);
    const encoded = encodeReadyRow({ boot: await bootId(), row: { ...begun, deadline: (begun.deadline ?? row.acceptedAt) + READY_MS } });
    await store.transact(async (tx) => {
      await taking.keep(tx, verdict, {});
      tx.putRow(readyKey(order.id, order.index), encoded);
    });
    taking.kept(verdict);
    // after the row, by which the leftovers of a crash are found
    await work.ahead?.();
    return { part, work, verdict };
  }

  /** `noted`: resolves once the start is durable. */
  async #start({ part, work, verdict: before }: Ready): Promise<{ part: LivePart; noted: Promise<void> }> {
    const { parts, performer, taking, members } = this.#options;
    const { from, order, brought } = this.#given;
    const key = readyKey(order.id, order.index);
    // a suspended member keeps its open streams, but cannot open others
    if (from.type === 'member' && members.byKey(from.member.domain, from.member.key) === undefined) {
      await part.processes.leave();
      await this.#remove();
      throw new DtkdError('FORBIDDEN', `${from.member.node} no longer counts as a member`);
    }
    const { verdict, row } = await taking.judge(from, order, brought);
    if (!verdict.go) {
      await part.processes.leave();
      return { part: await taking.refuse(order, row, verdict), noted: this.#remove() };
    }
    const isSame = verdict.bundle === before.bundle && verdict.policy === before.policy;
    if (!isSame || !performer.takeNow(part, verdict.policy)) {
      // its directory is also that of the part made next
      await part.processes.leave();
      return { part: await taking.accept(from, order, brought), noted: this.#remove() };
    }
    parts.add(part);
    return { part, noted: performer.begin(part, work, verdict.policy, (tx) => tx.delRow(key)) };
  }

  /** Drops the order as if it had never come. */
  async #drop(): Promise<void> {
    const made = await this.#making?.catch(() => undefined);
    await made?.part.processes.leave();
    if (made !== undefined) await this.#remove();
  }

  /** Never rejects: if a row stays, recovery finds that nothing was started, or that the order is in the journal. */
  async #remove(): Promise<void> {
    const { store } = this.#options;
    const { id, index } = this.#given.order;
    await store.transact(async (tx) => tx.delRow(readyKey(id, index))).catch(() => undefined);
  }
}
