/**
 * The ordered key-value port under everything that is stored. It has two implementations, LevelDB on disk and a sorted map in memory; one
 * conformance suite runs on both. Keys are text compared by UTF-8 bytes; values are bytes.
 */
export type KvOp =
  | { type: 'put'; key: string; value: Uint8Array }
  | { type: 'del'; key: string }
  /** Deletes every key in [gte, lt). Applied before the puts and dels of the same batch. */
  | { type: 'clear'; gte: string; lt: string };

/** The keys in [gte, lt). */
export interface KeyRange {
  gte: string;
  lt: string;
}

export interface KvRange extends KeyRange {
  /** At most this many entries; the caller pages. Default 1,000. */
  limit?: number;
  reverse?: boolean;
  /** True if values are not needed and may come back empty. */
  keysOnly?: boolean;
}

/** The state at one moment; later writes do not show. Must be closed, or old data stays on disk. */
export interface KvSnapshot {
  page(range: KvRange): Promise<[key: string, value: Uint8Array][]>;
  /** The values of the keys, in order; undefined where there is none. */
  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  close(): Promise<void>;
}

export interface Kv {
  get(key: string): Promise<Uint8Array | undefined>;
  /** One page of a range, in key order. */
  page(range: KvRange): Promise<[key: string, value: Uint8Array][]>;
  /** Applies all operations or none. With `sync`, resolves only after fsync. Errors: DISK_FULL, INTERNAL. */
  batch(ops: readonly KvOp[], options: { sync: boolean }): Promise<void>;
  /** Taken synchronously: shows every batch that has resolved, and may show one that is being written. */
  snapshot(): KvSnapshot;
  /** May be called more than once. */
  close(): Promise<void>;
}

/** Entries of a page if the range sets no limit. */
export const DEFAULT_PAGE = 1000;

/** The first key after every key with this prefix. Prefixes end in an ASCII character below DEL. */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
