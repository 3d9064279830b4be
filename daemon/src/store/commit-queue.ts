/**
 * Runs transactions one after another and makes them durable in groups: those that wait together are written in one batch with one fsync. A
 * transaction that throws leaves no trace and does not affect the others of its group. A batch that fails rejects its whole group and
 * leaves the state in memory unchanged. Does not know of watches or lists; reports each transaction through `onCommitted`.
 */
import { DtkdError } from '../../../protocol/errors.ts';
import { Durations, LOCAL_BOUNDS } from '../counting/durations.ts';
import type { ChangeLog } from './change-log.ts';
import type { Kv } from './kv.ts';
import type { StoreFigures } from './local-store.types.ts';
import type { Change, Participant, Transaction } from './object-store.types.ts';
import { Overlay } from './overlay.ts';
import type { PageCache } from './page-cache.ts';
import type { RowCache } from './row-cache.ts';
import { type PendingChange, StoreTransaction } from './transaction.ts';

/** The most transactions of a group: bounds how long the first waits for the last. */
const GROUP_TRANSACTIONS = 512;
/** A group takes no more transactions once it holds this many bytes of values and index keys. */
const GROUP_BYTES = 4 * 1024 * 1024;
/** Time limit of a transaction, so that a forgotten promise does not block all later ones. Milliseconds. */
const TRANSACTION_DEADLINE_MS = 60_000;
/** The most waiting transactions. Further ones are refused with TOO_MANY_REQUESTS. */
const QUEUE_LIMIT = 100_000;

interface Waiting {
  run: (tx: Transaction) => Promise<unknown>;
  /** Run and prepared like any other, then dropped. */
  dryRun: boolean;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

interface Done extends Waiting {
  value: unknown;
  changes: Change[];
  prepared: Participant[];
}

export interface CommitQueueOptions {
  kv: Kv;
  rows: RowCache;
  pages: PageCache;
  log: ChangeLog;
  now: () => number;
  onError: (error: unknown) => void;
  /** Called for each durable transaction with changes, in version order. */
  onCommitted: (changes: readonly Change[]) => void;
  /** Called after each batch, when none is being written: the database shows exactly the version of the log. */
  onRest: () => void;
}

export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #participants: Participant[] = [];
  readonly #durations = new Durations(LOCAL_BOUNDS);
  readonly #commits = { batches: 0, transactions: 0, failed: 0 };
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #writing = false;
  #closed = false;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** True while a batch is being written, when the database may be ahead of the log's version. */
  get writing(): boolean {
    return this.#writing;
  }

  figures(): Pick<StoreFigures, 'commits' | 'waiting' | 'durations'> {
    return { commits: { ...this.#commits }, waiting: this.#queue.length, durations: this.#durations.counts() };
  }

  addParticipant(participant: Participant): void {
    this.#participants.push(participant);
  }

  transact<T>(run: (tx: Transaction) => Promise<T>, { dryRun = false }: { dryRun?: boolean } = {}): Promise<T> {
    if (this.#closed) return Promise.reject(new DtkdError('UNAVAILABLE', 'the store is closed'));
    if (this.#queue.length >= QUEUE_LIMIT) {
      return Promise.reject(new DtkdError('TOO_MANY_REQUESTS', 'too many writes are waiting', { next: 'Try again in a moment.' }));
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let value: T;
    this.#queue.push({
      run: async (tx) => {
        value = await run(tx);
      },
      dryRun,
      resolve: () => resolve(value),
      reject,
    });
    this.#running ??= this.#drain();
    return promise;
  }

  /** Waits for accepted transactions, and refuses later ones. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    // transactions requested in the same turn share a group
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commitGroup();
    this.#running = undefined;
  }

  async #commitGroup(): Promise<void> {
    const overlay = new Overlay(this.#options.rows);
    const done: Done[] = [];
    const pending: PendingChange[] = [];
    let version = this.#options.log.last;
    const limit = new TimeLimit();
    let next = 0;
    while (next < this.#queue.length && next < GROUP_TRANSACTIONS && overlay.bytes < GROUP_BYTES) {
      const waiting = this.#queue[next];
      next += 1;
      if (waiting === undefined) continue;
      const own = new Overlay(overlay);
      const tx = new StoreTransaction(own, version, this.#options.now);
      const result = await this.#run(waiting, tx, limit);
      tx.close();
      if (result === undefined) continue;
      overlay.merge(own);
      version = tx.version;
      pending.push(...tx.pending);
      done.push(result);
    }
    limit.end();
    this.#queue = this.#queue.slice(next);
    await this.#write(overlay, pending, done);
  }

  /** Runs one transaction and its participants. Undefined if it failed or was a dry run. */
  async #run(waiting: Waiting, tx: StoreTransaction, limit: TimeLimit): Promise<Done | undefined> {
    const prepared: Participant[] = [];
    try {
      const value = await limit.within((expired) => this.#perform(waiting, tx, prepared, expired));
      if (waiting.dryRun) {
        this.#abort(prepared, tx.changes(), new DtkdError('CONFLICT', 'a dry run changes nothing'));
        waiting.resolve(value);
        return undefined;
      }
      return { ...waiting, value, changes: tx.changes(), prepared };
    } catch (error) {
      this.#abort(prepared, tx.changes(), error);
      waiting.reject(error);
      return undefined;
    }
  }

  /**
   * Runs the transaction and adds each participant to `prepared` once it has agreed. After the deadline no further participant is called,
   * since it would never learn how the transaction ended.
   */
  async #perform(waiting: Waiting, tx: StoreTransaction, prepared: Participant[], expired: () => boolean): Promise<unknown> {
    const value = await waiting.run(tx);
    const changes = tx.changes();
    if (changes.length === 0) return value;
    for (const participant of this.#participants) {
      if (expired()) break;
      await participant.prepare(changes, tx, { dryRun: waiting.dryRun });
      if (!expired()) prepared.push(participant);
    }
    return value;
  }

  async #write(overlay: Overlay, pending: readonly PendingChange[], done: readonly Done[]): Promise<void> {
    const { kv, rows, pages, log, onCommitted, onRest } = this.#options;
    const batch = log.encode(pending);
    for (const [key, row] of batch.rows) overlay.put(key, row);
    const ops = overlay.ops();
    try {
      if (ops.length > 0) {
        this.#writing = true;
        const began = performance.now();
        await kv.batch(ops, { sync: true });
        this.#durations.add(performance.now() - began);
        this.#commits.batches += 1;
        this.#commits.transactions += done.length;
      }
    } catch (error) {
      this.#writing = false;
      this.#commits.failed += 1;
      for (const entry of done) {
        this.#abort(entry.prepared, entry.changes, error);
        entry.reject(error);
      }
      onRest();
      return;
    }
    rows.committed(ops);
    for (const { change } of pending) pages.changed(change);
    log.append(batch);
    this.#writing = false;
    onRest();
    for (const entry of done) {
      for (const participant of entry.prepared) this.#attempt(() => participant.committed(entry.changes));
      if (entry.changes.length > 0) onCommitted(entry.changes);
      entry.resolve(entry.value);
    }
  }

  #abort(prepared: readonly Participant[], changes: readonly Change[], error: unknown): void {
    for (const participant of prepared) this.#attempt(() => participant.aborted(changes, error));
  }

  #attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.onError(error);
    }
  }
}

/**
 * The time limit for each transaction of a group in turn. They share one timer, since one each would cost a good part of a small
 * transaction.
 */
class TimeLimit {
  #expire: () => void = () => {};
  readonly #timer = setTimeout(() => this.#expire(), TRANSACTION_DEADLINE_MS);

  /** Rejects with TIMEOUT if the work does not end in time. `expired` then returns true. */
  within<T>(work: (expired: () => boolean) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let isOver = false;
    this.#expire = () => {
      isOver = true;
      reject(new DtkdError('TIMEOUT', `a transaction did not end within ${TRANSACTION_DEADLINE_MS} ms`));
    };
    this.#timer.refresh();
    work(() => isOver).then(resolve, reject);
    return promise;
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
