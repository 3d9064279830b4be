import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';

/**
 * `own`: written here, published if its kind is shared. `replica`: another node's object, as its log gave it. `projection`: made by this
 * node for itself out of what it knows (dtPeers, copies of dtApps); never published, never writable by users.
 */
export type Origin = 'own' | 'replica' | 'projection';

/** What happened to one object, in the order of `version`. */
export interface Change {
  /** This daemon's stamp of the change: dense, growing, persisted. Not the object's resourceVersion if the object is a replica. */
  version: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  ref: ObjectRef;
  /** The object after the change; for DELETED, as it was last. */
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
  /** From the previous page. */
  continue?: string;
  /** What is shown: the state at this version, if the change log still reaches back to it, else the present one. Default: the present; pages go on with that of the first. */
  version?: number;
  /** With `version`: that state or none. GONE if the change log does not reach back to it. */
  exact?: boolean;
}

export interface ListPage {
  items: ApiObject[];
  /** This daemon's version that the page shows (later pages repeat the first page's). */
  resourceVersion: string;
  continue?: string;
}

export type WatchEvent =
  /** `previous`: of MODIFIED, the object before it. */
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: ApiObject; previous?: ApiObject; version: number }
  | { type: 'BOOKMARK'; version: number };

export interface WatchQuery extends Omit<ListQuery, 'limit' | 'continue' | 'version' | 'exact'> {
  /** Absent or "0": the present state first, as ADDED. Else: what came after this version; GONE if it is no longer kept. */
  resourceVersion?: string;
  bookmarks?: boolean;
  /** Called when all of the present state has been taken, which is kept until then. */
  told?(): void;
  signal: AbortSignal;
}

/** Names of objects that have a value at a path which their kind declares as `indexed`, or a label (`metadata.labels.KEY`). */
export interface IndexQuery {
  group: string;
  plural: string;
  /** Empty for cluster-scoped kinds. */
  namespace: string;
  path: string;
  value: string | number | boolean;
  limit: number;
}

/** One atomic change of the store. Reads see the transaction's own writes and those of transactions queued before it. */
export interface Transaction {
  get(ref: ObjectRef): Promise<ApiObject | undefined>;
  /**
   * Stores an object. For `own` (the default) and `projection` the store assigns uid and creationTimestamp where they are empty, and the
   * resourceVersion (its next version), and keeps the given generation, and says the conditions of kinds that have any; for `replica` metadata is kept exactly as the owner stamped it.
   */
  put(object: ApiObject, options?: { origin?: Origin }): Promise<ApiObject>;
  /** Deletes an object; false if there was none. */
  delete(ref: ObjectRef): Promise<boolean>;
  originOf(ref: ObjectRef): Promise<Origin | undefined>;
  /** Finds objects by an indexed value, as of this transaction, in name order, `limit` at most. */
  find(index: IndexQuery): Promise<ObjectRef[]>;
  /** Rows that other parts keep in the same batch. Keys must begin with the part's own prefix. */
  getRow(key: string): Promise<Uint8Array | undefined>;
  putRow(key: string, value: Uint8Array): void;
  delRow(key: string): void;
  clearRows(gte: string, lt: string): void;
}

/**
 * A part that must persist something in the same batch as a change: the mesh adds the signed log entry of a shared kind.
 * `prepare` may throw to refuse the transaction (nothing is stored). Exactly one of `committed` and `aborted` follows each `prepare`
 * that did not throw. With `dryRun` it is always `aborted`: what cannot be taken back need not be done, as long as all is judged.
 */
export interface Participant {
  prepare(changes: readonly Change[], tx: Transaction, options: { dryRun: boolean }): Promise<void>;
  committed(changes: readonly Change[]): void;
  aborted(changes: readonly Change[], error: unknown): void;
}

/**
 * Objects, indexes, change log and watch over a Kv. Transactions run one after another; those that wait are written in one batch with
 * one fsync (group commit); `transact` resolves after that fsync. A failed batch rejects all its transactions and changes nothing.
 */
export interface ObjectStore {
  get(ref: ObjectRef): Promise<ApiObject | undefined>;
  originOf(ref: ObjectRef): Promise<Origin | undefined>;
  list(query: ListQuery): Promise<ListPage>;
  /** As `Transaction.find`, of what is durable. */
  find(index: IndexQuery): Promise<ObjectRef[]>;
  watch(query: WatchQuery): AsyncIterable<WatchEvent>;
  /** With `dryRun` all is judged, by the participants too, and nothing is stored. */
  transact<T>(run: (tx: Transaction) => Promise<T>, options?: { dryRun?: boolean }): Promise<T>;
  /** Calls back after each durable commit, in version order. Returns a function that unsubscribes. Callbacks must not throw or block. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  /** To be called before the first transaction. */
  addParticipant(participant: Participant): void;
  /** The version of the last durable change. */
  version(): number;
  /** Direct access for the rows that other parts keep (own prefixes only). */
  readonly kv: import('./kv.ts').Kv;
  close(): Promise<void>;
}
