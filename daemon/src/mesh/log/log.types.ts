import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';

/** (milliseconds, 64 random bits): compared in that order. */
export interface Epoch {
  ms: number;
  /** 16 hex digits. */
  random: string;
}

/** How far a replica has one author's log. */
export interface Head {
  author: PeerKey;
  epoch: Epoch;
  seq: number;
  /** 64 hex digits: hash of the entry at `seq`. */
  hash: string;
}

/** What the log needs to know of membership. */
export interface Authors {
  isMember(key: PeerKey): boolean;
  isSuspended(key: PeerKey): boolean;
  /** Namespace under which a member's objects are shown here: unique among all domains of this node. */
  namespaceOf(key: PeerKey): string;
}

export type ReceiveResult =
  /** New and durable here; worth forwarding. */
  | 'applied'
  /** Known already, or of an epoch that is over. */
  | 'known'
  /** An entry before it is missing, or its author is unknown: ask the forwarder for what is missing. */
  | 'gap'
  | 'unknown-author'
  /** The author forked its log: the proof has been handed to `onFork`; not to be forwarded. */
  | 'forked';

/**
 * The signed logs of one domain: this node's own, and replicas of all others'. Persists, verifies, folds into the object store.
 * Knows nothing of the network.
 */
export interface DomainLog {
  readonly domain: DomainId;
  heads(): Promise<Head[]>;
  /**
   * Takes one entry as received. Resolves after it is durable. Throws DtkdError ENTRY_INVALID, SIGNATURE_INVALID or QUOTA_EXCEEDED:
   * whoever forwarded it is to blame. An own entry of a higher epoch than ours starts the take-over of that state.
   */
  receive(entry: Uint8Array): Promise<ReceiveResult>;
  /** Entries that somebody with these heads lacks, oldest first, at most about `maxBytes`; the caller asks again until none comes. */
  missing(theirs: readonly Head[], maxBytes: number): Promise<Uint8Array[]>;
  /** True if `theirs` has anything that we lack. */
  isBehind(theirs: readonly Head[]): Promise<boolean>;
  /** Called with each own entry after it is durable, to be pushed to peers. */
  onOwnEntry(listener: (entry: Uint8Array) => void): () => void;
  /** Called with a portable proof that an author forked its log. */
  onFork(listener: (author: PeerKey, proof: Uint8Array) => void): () => void;
  /** Forgets everything of an author and deletes its objects here (removal, leave). */
  dropAuthor(key: PeerKey): Promise<void>;
  /** Hides (suspension) or shows again an author's objects, or moves them to the author's present namespace. */
  refreshAuthor(key: PeerKey): Promise<void>;
  /** Forgets the whole domain. */
  drop(): Promise<void>;
  counters(): Record<string, number>;
}
