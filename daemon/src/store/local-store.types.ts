import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { DurationCounts } from '../counting/durations.ts';
import type { ListPage, ListQuery, ObjectStore } from './object-store.types.ts';

/** What may be there already, so that nobody has to wait for it. */
export type Soon<T> = T | Promise<T>;

export interface RawListPage extends Omit<ListPage, 'items'> {
  /** Each object as its stored JSON (UTF-8), ready to be copied into an answer. */
  items: Uint8Array[];
}

export interface RawListOptions {
  /** Asked of each object that the selectors want: what to show of it, or undefined to leave it out, before `limit` counts it. */
  filter?: (object: ApiObject) => ApiObject | undefined;
  /** Whether the state at an earlier version may be shown. Default: it may. */
  mayShow?: (version: number) => boolean;
}

/** The object store as this process has it: what the API needs beyond the port that all parts share. */
export interface LocalStore extends ObjectStore {
  /** `get` without parsing: the stored JSON (UTF-8), ready to be copied into an answer. Not to be changed. At once if it is in memory. */
  getRaw(ref: ObjectRef): Soon<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * `list` without parsing and serialising again (objects are only parsed where a selector has to look into them). At once if it is in memory; the very
   * same page, not to be changed, as long as it is of the same version.
   */
  listRaw(query: ListQuery, options?: RawListOptions): Soon<RawListPage>;
  /** What the store holds and does, for those who watch over it. The objects are counted when this is asked first, and kept count of from then on. */
  figures(): Promise<StoreFigures>;
}

export interface StoreFigures {
  /** By `group/plural`. */
  objects: ReadonlyMap<string, number>;
  changeLog: { entries: number; bytes: number };
  /** Batches that were written with an fsync each, the transactions in them, and batches that failed. */
  commits: { batches: number; transactions: number; failed: number };
  /** Transactions that wait. */
  waiting: number;
  /** Of a batch, from when it was handed to the disk until it was durable. */
  durations: DurationCounts;
}
