import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { DurationCounts } from '../counting/durations.ts';
import type { ListPage, ListQuery, ObjectStore } from './object-store.types.ts';

/** A value that may be available at once, without waiting. */
export type Soon<T> = T | Promise<T>;

export interface RawListPage extends Omit<ListPage, 'items'> {
  /** Each object as its stored JSON (UTF-8), ready to be copied into an answer. */
  items: Uint8Array[];
}

export interface RawListOptions {
  /**
   * Called for each object that the selectors match, before it counts towards `limit`. Returns the object to show, or undefined to leave it
   * out.
   */
  filter?: (object: ApiObject) => ApiObject | undefined;
  /** Whether the state at an earlier version may be shown. Default: yes. */
  mayShow?: (version: number) => boolean;
}

/** The object store within this process: the additions that the API needs beyond the port shared by all parts. */
export interface LocalStore extends ObjectStore {
  /**
   * `get` without parsing: the stored JSON (UTF-8), ready to be copied into a response. Must not be changed. Synchronous if the row is in
   * memory.
   */
  getRaw(ref: ObjectRef): Soon<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * `list` without parsing and serialising: objects are parsed only where a selector has to inspect them. Synchronous if the page is in
   * memory. Returns the identical page, which must not be changed, for as long as its version is current.
   */
  listRaw(query: ListQuery, options?: RawListOptions): Soon<RawListPage>;
  /** Metrics of the store. The first call counts the objects; changes keep the count up to date from then on. */
  figures(): Promise<StoreFigures>;
}

export interface StoreFigures {
  /** By `group/plural`. */
  objects: ReadonlyMap<string, number>;
  changeLog: { entries: number; bytes: number };
  /** Batches written, each with an fsync; transactions in them; batches that failed. */
  commits: { batches: number; transactions: number; failed: number };
  /** Waiting transactions. */
  waiting: number;
  /** Durations of batches, from the hand-over to the disk until they were durable. */
  durations: DurationCounts;
}
