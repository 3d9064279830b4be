/**
 * The change log: every change of the store in order of version, each written in the batch that makes the change. Owns how long changes are
 * kept, and a cache of recent ones. Readers go by version, from memory where it reaches back far enough, otherwise from the database;
 * trimmed versions are GONE. Trims in the background, in small batches.
 */
import { DtkdError } from '../../../protocol/errors.ts';
import { LOG_PREFIX, logKey, versionOfLogKey } from './keys.ts';
import { type Kv, prefixEnd } from './kv.ts';
import type { Change } from './object-store.types.ts';
import { changeOfLogRow, encodeLogRow, headerOfLogRow } from './rows.ts';
import type { PendingChange } from './transaction.ts';

export interface LogLimits {
  /** The most changes kept. */
  entries: number;
  /** The most bytes of changes kept, before LevelDB's compression. */
  bytes: number;
  /** Bytes of changes kept in memory for watches that are up to date. */
  recentBytes: number;
}

/** A watch that has been away for longer must list again. 8 MiB keeps the log small in the disk budget of a small node. */
export const LOG_LIMITS: LogLimits = { entries: 100_000, bytes: 8 * 1024 * 1024, recentBytes: 1024 * 1024 };
/** Trimming begins when a limit is exceeded by this factor, so that it is rare. */
const SLACK = 1.125;
/** A read from the database ends with the change that reaches this many bytes. */
const READ_BYTES = 256 * 1024;
/** Log rows deleted at once while trimming. */
const TRIM_ROWS = 500;

export interface LogBatch {
  rows: [key: string, value: Uint8Array][];
  changes: { change: Change; bytes: number }[];
}

export class ChangeLog {
  readonly #kv: Kv;
  readonly #limits: LogLimits;
  readonly #onError: (error: unknown) => void;
  /** Version of the oldest change kept; `last` + 1 if there is none. */
  #first: number;
  /** The oldest version that may still be in the database. After a failed trim, the next one starts here. */
  #onDisk: number;
  #last: number;
  /** Bytes ever written to the log, and those written before its oldest row. */
  #written: number;
  #dropped: number;
  #recent: { change: Change; bytes: number }[] = [];
  #recentBytes = 0;
  #trimming: Promise<void> | undefined;

  private constructor(kv: Kv, limits: LogLimits, onError: (error: unknown) => void, state: LogState) {
    this.#kv = kv;
    this.#limits = limits;
    this.#onError = onError;
    this.#first = state.first;
    this.#onDisk = state.first;
    this.#last = state.last;
    this.#written = state.written;
    this.#dropped = state.dropped;
  }

  /** `base` is the version before the first change, for an empty log. */
  static async open(kv: Kv, base: number, limits: LogLimits, onError: (error: unknown) => void): Promise<ChangeLog> {
    const range = { gte: LOG_PREFIX, lt: prefixEnd(LOG_PREFIX), limit: 1 };
    const [oldest] = await kv.page(range);
    const [newest] = await kv.page({ ...range, reverse: true });
    if (oldest === undefined || newest === undefined) {
      return new ChangeLog(kv, limits, onError, { first: base + 1, last: base, written: 0, dropped: 0 });
    }
    return new ChangeLog(kv, limits, onError, {
      first: versionOfLogKey(oldest[0]),
      last: versionOfLogKey(newest[0]),
      dropped: headerOfLogRow(oldest[1]).before,
      written: headerOfLogRow(newest[1]).before + newest[1].length,
    });
  }

  /** Version of the last durable change. */
  get last(): number {
    return this.#last;
  }

  /** The number and size of the changes kept. */
  size(): { entries: number; bytes: number } {
    return { entries: this.#last - this.#first + 1, bytes: this.#written - this.#dropped };
  }

  /** The rows to add to the batch of these changes, which follow `last` without a gap. */
  encode(pending: readonly PendingChange[]): LogBatch {
    let before = this.#written;
    const batch: LogBatch = { rows: [], changes: [] };
    for (const { change, key, json, previousJson } of pending) {
      const row = encodeLogRow({ type: change.type, key, origin: change.origin, before }, json, previousJson);
      before += row.length;
      batch.rows.push([logKey(change.version), row]);
      batch.changes.push({ change, bytes: row.length });
    }
    return batch;
  }

  /** To be called after the batch is durable. */
  append({ changes }: LogBatch): void {
    for (const entry of changes) {
      this.#last = entry.change.version;
      this.#written += entry.bytes;
      this.#recent.push(entry);
      this.#recentBytes += entry.bytes;
    }
    let drop = 0;
    while (this.#recentBytes > this.#limits.recentBytes && drop < this.#recent.length) {
      this.#recentBytes -= this.#recent[drop]?.bytes ?? 0;
      drop += 1;
    }
    if (drop > 0) this.#recent = this.#recent.slice(drop);
    if (this.#isOver(SLACK)) this.#trimming ??= this.#trim();
  }

  /** True if the changes after `version` are all kept. */
  keeps(version: number): boolean {
    return version >= this.#first - 1 && version <= this.#last;
  }

  /** Throws GONE unless the changes after `version` are all kept. */
  assertKept(version: number): void {
    if (!this.keeps(version)) throw this.gone(version);
  }

  /** The error for a version whose later changes are not all kept. */
  gone(version: number): DtkdError {
    return new DtkdError(
      'GONE',
      `changes since version ${version} are no longer (or were never) kept here; the oldest is ${this.#first - 1}`,
      {
        next: 'List again, and watch from the version of that list.',
      },
    );
  }

  /**
   * The changes after `version`, in order: at most `limit`, fewer if they are large, none if there are none yet. GONE if some have been
   * trimmed.
   */
  async after(version: number, limit: number): Promise<Change[]> {
    this.assertKept(version);
    if (version === this.#last) return [];
    const index = version + 1 - (this.#recent[0]?.change.version ?? Number.POSITIVE_INFINITY);
    if (index >= 0) return this.#recent.slice(index, index + limit).map((entry) => entry.change);
    const rows = await this.#kv.page({ gte: logKey(version + 1), lt: logKey(this.#last + 1), limit });
    if (rows[0] === undefined || versionOfLogKey(rows[0][0]) !== version + 1) throw this.gone(version);
    // a slow watch holds what was read until its client takes it, so large changes come few at a time
    let bytes = 0;
    const end = rows.findIndex(([, row]) => {
      bytes += row.length;
      return bytes >= READ_BYTES;
    });
    return rows.slice(0, end === -1 ? rows.length : end + 1).map(([key, row]) => changeOfLogRow(versionOfLogKey(key), row));
  }

  /** Resolves when no trimming is going on. */
  async settled(): Promise<void> {
    await this.#trimming;
  }

  #isOver(factor: number): boolean {
    return (
      this.#last - this.#first + 1 > this.#limits.entries * factor ||
      this.#written - this.#dropped > Math.max(this.#limits.bytes * factor, 1)
    );
  }

  async #trim(): Promise<void> {
    try {
      const kept = await this.#oldestKept();
      this.#first = kept.version;
      this.#dropped = kept.before;
      while (this.#onDisk < kept.version) {
        const from = this.#onDisk;
        const count = Math.min(kept.version - from, TRIM_ROWS);
        const ops = Array.from({ length: count }, (_, index) => ({ type: 'del' as const, key: logKey(from + index) }));
        await this.#kv.batch(ops, { sync: false });
        this.#onDisk = from + count;
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#trimming = undefined;
    }
  }

  /** The oldest change within the limits, by binary search: each row records how many bytes were written before it. */
  async #oldestKept(): Promise<{ version: number; before: number }> {
    const written = this.#written;
    // the newest row stays, since it holds the store's version
    let newest = this.#last;
    let oldest = Math.max(this.#first, newest - this.#limits.entries + 1);
    while (oldest < newest) {
      const middle = Math.floor((oldest + newest) / 2);
      if (written - (await this.#bytesBefore(middle)) > this.#limits.bytes) oldest = middle + 1;
      else newest = middle;
    }
    return { version: oldest, before: await this.#bytesBefore(oldest) };
  }

  async #bytesBefore(version: number): Promise<number> {
    const row = await this.#kv.get(logKey(version));
    if (row === undefined) throw new DtkdError('INTERNAL', `change ${version} is missing from the log`);
    return headerOfLogRow(row).before;
  }
}

interface LogState {
  first: number;
  last: number;
  written: number;
  dropped: number;
}
