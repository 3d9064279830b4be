import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';

/**
 * `own`: written here, and published if its kind is shared. `replica`: another node's object, taken from its log. `projection`: derived by
 * this node from what it knows (dtPeers, copies of dtApps); never published, and users cannot write it.
 */
export type Origin = 'own' | 'replica' | 'projection';

/** One change of one object. Changes are ordered by `version`. */
export interface Change {
  /** The version that this daemon gave the change: dense, increasing, persisted. A replica's resourceVersion differs from it. */
  version: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  ref: ObjectRef;
  /** The object after the change; for DELETED, its last state. */
  object: ApiObject;
  /** The object before the change; absent for ADDED. */
  previous?: ApiObject;
  origin: Origin;
}

export interface ListQuery {
  group: string;
  plural: string;
  /** Absent: all namespaces, in namespace order. */
  namespace?: string;
  /** Kubernetes label selector text, e.g. `tier=front,env!=dev,x in (a,b),!y`. */
  labelSelector?: string;
  /** Kubernetes field selector text: `path=value`, `path!=value`, joined by commas. */
  fieldSelector?: string;
  /** An expression of protocol/where/where.ts, e.g. `type=Service and properties.port>8000`. */
  where?: string;
  limit?: number;
  /** The `continue` of the previous page. */
  continue?: string;
  /**
   * The version to show, if the change log still reaches back to it; otherwise the present state. Default: the present state. Later pages
   * show the version of the first.
   */
  version?: number;
  /** With `version`: that state or nothing. GONE if the change log does not reach back to it. */
  exact?: boolean;
}

export interface ListPage {
  items: ApiObject[];
  /** The version, of this daemon, that the page shows. Later pages repeat the first page's. */
  resourceVersion: string;
  continue?: string;
}

export type WatchEvent =
  /** `previous`, only with MODIFIED: the object before the change. */
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: ApiObject; previous?: ApiObject; version: number }
  | { type: 'BOOKMARK'; version: number };

export interface WatchQuery extends Omit<ListQuery, 'limit' | 'continue' | 'version' | 'exact'> {
  /** Absent or "0": the present state comes first, as ADDED. Otherwise: changes after this version; GONE if they are no longer kept. */
  resourceVersion?: string;
  bookmarks?: boolean;
  /** Called when the whole present state has been consumed. It is held in memory until then. */
  told?(): void;
  signal: AbortSignal;
}

/** Finds objects by a value at a path that their kind declares as `indexed`, or by a label (`metadata.labels.KEY`). */
export interface IndexQuery {
  group: string;
  plural: string;
  /** Empty for cluster-scoped kinds. */
  namespace: string;
  path: string;
  value: string | number | boolean;
  limit: number;
}

/** One atomic change of the store. Reads see the transaction's own writes and those of earlier transactions in the queue. */
export interface Transaction {
  get(ref: ObjectRef): Promise<ApiObject | undefined>;
  /**
   * Stores an object. For `own` (the default) and `projection` the store assigns uid and creationTimestamp if they are empty, sets the
   * resourceVersion to its next version, keeps the given generation, and sets the conditions of kinds that define them. For `replica` it
   * keeps the object exactly as its owner stamped it.
   */
  put(object: ApiObject, options?: { origin?: Origin }): Promise<ApiObject>;
  /** Deletes an object; false if there was none. */
  delete(ref: ObjectRef): Promise<boolean>;
  originOf(ref: ObjectRef): Promise<Origin | undefined>;
  /** Finds objects by an indexed value as seen by this transaction, in name order, `limit` at most. */
  find(index: IndexQuery): Promise<ObjectRef[]>;
  /** Access to rows that other parts keep in the same batch. Keys must begin with the part's own prefix. */
  getRow(key: string): Promise<Uint8Array | undefined>;
  putRow(key: string, value: Uint8Array): void;
  delRow(key: string): void;
  clearRows(gte: string, lt: string): void;
}

/**
 * A part that persists something in the same batch as a change: the mesh adds the signed log entry of a shared kind. `prepare` may throw to
 * refuse the transaction; nothing is stored then. Each `prepare` that did not throw is followed by exactly one of `committed` and
 * `aborted`. With `dryRun` it is always `aborted`: effects that cannot be undone may be skipped, as long as everything is checked.
 */
export interface Participant {
  prepare(changes: readonly Change[], tx: Transaction, options: { dryRun: boolean }): Promise<void>;
  committed(changes: readonly Change[]): void;
  aborted(changes: readonly Change[], error: unknown): void;
}

/**
 * Objects, indexes, change log and watches over a Kv. Transactions run one after another, and those that wait are written in one batch with
 * one fsync (group commit). `transact` resolves after that fsync. A failed batch rejects all its transactions and changes nothing.
 */
export interface ObjectStore {
  get(ref: ObjectRef): Promise<ApiObject | undefined>;
  originOf(ref: ObjectRef): Promise<Origin | undefined>;
  list(query: ListQuery): Promise<ListPage>;
  /** As `Transaction.find`, on durable state. */
  find(index: IndexQuery): Promise<ObjectRef[]>;
  watch(query: WatchQuery): AsyncIterable<WatchEvent>;
  /** Runs a transaction. With `dryRun` everything is checked, by the participants too, and nothing is stored. */
  transact<T>(run: (tx: Transaction) => Promise<T>, options?: { dryRun?: boolean }): Promise<T>;
  /**
   * Calls the listener after each durable transaction, in version order. Returns a function that unsubscribes. The listener must not throw
   * or block.
   */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  /** To be called before the first transaction. */
  addParticipant(participant: Participant): void;
  /** The version of the last durable change. */
  version(): number;
  /** Direct access to the rows of other parts, each under its own prefix. */
  readonly kv: import('./kv.ts').Kv;
  close(): Promise<void>;
}
