import type { ErrorCode } from '../../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import type { Epoch } from '../../../../protocol/log/log-entry.ts';
import type { Participant } from '../../store/object-store.types.ts';

export type { Epoch } from '../../../../protocol/log/log-entry.ts';

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
  /** Namespace under which a member's objects are shown here: unique among all domains of this node. For this node's own key, its own name. */
  namespaceOf(key: PeerKey): string;
  /**
   * The highest epoch in which the author is proved to have forked its log, cleared or not: what it wrote there or before never shows
   * again. Where this is left out, the log goes by the forks that it found itself and by what it had when the author was suspended.
   */
  forkedEpoch?(key: PeerKey): Epoch | undefined;
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
  /** How far this node has each log. An author may be named several times, the lower epochs first; all heads are to be passed on. */
  heads(): Promise<Head[]>;
  /** The heads to ask with (see `missing`): as `heads`, without epochs of other authors of which nothing more can be taken in. */
  asks(): Promise<Head[]>;
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
  /**
   * Hides (suspension) or shows again an author's objects, or moves them to the author's present namespace. With the own key after a
   * clearance: publishes everything again in a new epoch.
   */
  refreshAuthor(key: PeerKey): Promise<void>;
  /** Forgets the whole domain. */
  drop(): Promise<void>;
  /**
   * True while this node, put back from a backup, has not heard yet what it did after that: it publishes nothing, and members are to be answered nothing that
   * rests on its objects.
   */
  isAwaiting(): boolean;
  /** The heads of a member have been compared with ours, and what it has has been taken in. `others`: all other members that count. */
  heard(from: PeerKey, others: () => Iterable<PeerKey>): void;
  /** KEY_IN_USE_ELSEWHERE when another process writes with this node's key: writes into this domain are then refused. */
  condition(): ErrorCode | undefined;
  /** Called when `condition` changed. */
  onCondition(listener: () => void): () => void;
  counters(): Record<string, number>;
}

/** That this node was put back from a backup. */
export interface Restored {
  /** Milliseconds since the epoch: what is not on this disk may have happened until then. */
  readonly at: number;
  /** True until what this node did after the backup was made has been heard in the domain. */
  awaits(domain: DomainId): boolean;
  heard(domain: DomainId): Promise<void>;
}

/** The logs of all domains of this node, and its part in the store's transactions. */
export interface Logs {
  /** To be added to the store: publishes changes of own objects of shared kinds in the batch that stores them. */
  readonly participant: Participant;
  /**
   * Opens a domain's logs and publishes what the store holds for the domain and the log does not say yet. `name` is the domain's name
   * in the selectors of objects. Throws if a domain of that id or name is open.
   */
  open(domain: DomainId, name: string, self: SigningKey, authors: Authors): Promise<DomainLog>;
  /** Milliseconds since the epoch at which this node last found that its disk was behind what it had published. */
  restoredAt(): number | undefined;
  /** Lets what is under way finish; the logs take nothing more. */
  close(): Promise<void>;
}
