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
  /** Namespace of a member's objects here, unique across all domains of this node. For this node's own key, its own name. */
  namespaceOf(key: PeerKey): string;
  /**
   * The highest epoch in which the author is proved to have forked its log, cleared or not: what it wrote there or before is never shown
   * again. Without this method, the log goes by the forks that it found itself and by what it had when the author was suspended.
   */
  forkedEpoch?(key: PeerKey): Epoch | undefined;
}

export type ReceiveResult =
  /** New and durable here; worth forwarding. */
  | 'applied'
  /** Known already, or of an epoch that is over. */
  | 'known'
  /** An earlier entry is missing: ask the forwarder for it. Also if the author has too much waiting or caused too much work for now. */
  | 'gap'
  | 'unknown-author'
  /** The author forked its log. The proof went to `onFork`; do not forward the entry. */
  | 'forked';

/**
 * The signed logs of one domain: this node's own, and replicas of all others'. Persists and verifies them, and folds them into the object
 * store. Knows nothing of the network.
 */
export interface DomainLog {
  readonly domain: DomainId;
  /** How far this node has each log. An author may have several heads, the lower epochs first; pass all of them on. */
  heads(): Promise<Head[]>;
  /** The heads to ask with (see `missing`): as `heads`, without epochs of other authors of which nothing more can be taken in. */
  asks(): Promise<Head[]>;
  /**
   * Takes one entry as received. Resolves once it is durable. Throws DtkdError ENTRY_INVALID, SIGNATURE_INVALID or QUOTA_EXCEEDED, for
   * which the forwarder is to blame. An entry of our own log that our state lacks starts the take-over of the state that it belongs to.
   */
  receive(entry: Uint8Array): Promise<ReceiveResult>;
  /** Entries that a node with these heads lacks, oldest first, about `maxBytes` at most. Ask again until none comes. */
  missing(theirs: readonly Head[], maxBytes: number): Promise<Uint8Array[]>;
  /** True if `theirs` has anything that we lack. */
  isBehind(theirs: readonly Head[]): Promise<boolean>;
  /** Called with each own entry once it is durable, to push it to peers. */
  onOwnEntry(listener: (entry: Uint8Array) => void): () => void;
  /** Called with a portable proof when an author has forked its log, and for proofs that an earlier process found. */
  onFork(listener: (author: PeerKey, proof: Uint8Array) => void): () => void;
  /** Forgets everything of an author and deletes its objects here (removal, leave). */
  dropAuthor(key: PeerKey): Promise<void>;
  /**
   * Hides an author's objects (suspension), shows them again, or moves them to the author's present namespace. For the own key after a
   * clearance: publishes everything again in a new epoch.
   */
  refreshAuthor(key: PeerKey): Promise<void>;
  /** Forgets the whole domain. */
  drop(): Promise<void>;
  /**
   * True while this node, restored from a backup, has yet to hear what it did after the backup. Until then it publishes nothing, and
   * members get no answer that rests on its objects.
   */
  isAwaiting(): boolean;
  /**
   * Reports that a member's heads have been compared with ours, and all that it has is taken in. `others`: all other members that count.
   */
  heard(from: PeerKey, others: () => Iterable<PeerKey>): void;
  /** KEY_IN_USE_ELSEWHERE while another process writes with this node's key: writes into this domain are then refused. */
  condition(): ErrorCode | undefined;
  /** Called when `condition` or `isAwaiting` has changed. */
  onCondition(listener: () => void): () => void;
  counters(): Record<string, number>;
}

/** A restore of this node from a backup. */
export interface Restored {
  /** Milliseconds since the epoch. Until then things may have happened that are not on this disk. */
  readonly at: number;
  /** True until this node has heard, in the domain, what it did after the backup. */
  awaits(domain: DomainId): boolean;
  heard(domain: DomainId): Promise<void>;
}

/** The logs of all domains of this node, and its part in the store's transactions. */
export interface Logs {
  /** Must be added to the store. Publishes changes of own objects of shared kinds in the batch that stores them. */
  readonly participant: Participant;
  /**
   * Opens a domain's logs and publishes what the store holds for the domain and the log lacks. `name` is the domain's name in the
   * selectors of objects. Throws ALREADY_EXISTS if a domain of that id or name is open.
   */
  open(domain: DomainId, name: string, self: SigningKey, authors: Authors): Promise<DomainLog>;
  /** When this node last found that its disk was behind what it had published. Milliseconds since the epoch. */
  restoredAt(): number | undefined;
  /** Waits for what is under way; the logs take nothing more. */
  close(): Promise<void>;
}
