import type { Duplex } from 'node:stream';
import type { DomainId, PeerId, PeerKey } from '../../../protocol/ids.ts';
import type { SigningContext } from '../../../protocol/keys/signing.ts';
import type { Head, ReceiveResult } from './log/log.types.ts';
import type { SignedItem } from './membership/membership.types.ts';

/**
 * How a member can be reached: `connected` now; `idle` if not connected, and nothing suggests that it could not be when needed (large
 * domains connect each node with only some members); `away` if it could not be reached when tried, and has not come back since.
 */
export type Reach = 'connected' | 'idle' | 'away';

/** A member of a domain, as this node sees it. */
export interface PeerView {
  key: PeerKey;
  id: PeerId;
  /** Name to show and to use as a namespace: unique among all domains of this node (`name-<6 hex>` where the bare name is not). */
  displayName: string;
  /** The name in its certificate. */
  claimedName: string;
  self: boolean;
  founder: boolean;
  /** True while there is a connection; false for this node itself. */
  connected: boolean;
  reach: Reach;
  path: 'self' | 'direct' | 'relayed' | undefined;
  /** Host and port where it was last reached, or that it announced. */
  address: string | undefined;
  /** Milliseconds since the epoch: connected, away, or without a connection since then. */
  since: number | undefined;
  /** Why the last try to reach it directly failed, if it did. */
  failure?: string | undefined;
  /** What to do about that, if it is something special. */
  advice?: string | undefined;
  /** How often its connection was lost lately, if that was often. */
  lost?: { times: number; withinMs: number } | undefined;
  /** True if it was reached, and runs a version that does not fit this one. */
  misfit: boolean;
  suspended: boolean;
  /** Sentences for the operator. */
  conditions: string[];
  /** Removals (by removed peer id) that this peer is known to have heard of; undefined if it has told nothing since this daemon started. */
  heardRemovals: PeerId[] | undefined;
}

export type DomainState = 'Ready' | 'Joining' | 'Failed' | 'Removed' | 'Suspended' | 'Leaving';

export interface DomainView {
  id: DomainId;
  name: string;
  state: DomainState;
  /** Explains any state but Ready, with the next step. With Ready, says what does not work all the same. */
  message: string | undefined;
  /** This node's key in the domain. */
  self: PeerKey;
  /** True if this node holds the current root key and so may invite and remove. */
  holdsRoot: boolean;
  founderName: string | undefined;
  port: number | undefined;
  peers: PeerView[];
  /** Keys that are no longer members. `left`: of their own accord. */
  removed: { id: PeerId; name: string; left: boolean; heardBy: PeerId[] }[];
}

export interface JoinOptions {
  replace?: string;
  signal?: AbortSignal;
  onElsewhere?(elsewhere: { address: string; failure: string }): void;
}

export interface InviteView {
  /** 16 hex digits that identify the invite in `domain revoke`. */
  id: string;
  uses: number;
  /** Admissions known to this node. */
  used: number;
  expires: number;
  revoked: boolean;
  replace: string | undefined;
  /** The token itself, on the node that made it, while it can be used. */
  token: string | undefined;
}

/**
 * One domain as files carry it between nodes that never connect. Data taken in is judged by the same code as what members send, and passed
 * on to connected members.
 */
export interface DomainCarrying {
  readonly id: DomainId;
  readonly name: string;
  /** This node's key in the domain, and its name there. */
  readonly self: PeerKey;
  readonly selfName: string;
  /** Every membership item that counts, each after those on which it builds. */
  items(): readonly SignedItem[];
  heads(): Promise<Head[]>;
  /** All entries that a node with these heads lacks, half a megabyte at a time. */
  entries(theirs: readonly Head[]): AsyncIterable<Uint8Array[]>;
  /** What the membership would be with these items added. Stores nothing. */
  preview(items: readonly Uint8Array[]): Promise<{
    standing(key: PeerKey): 'member' | 'removed' | 'stranger';
    added: number;
    rejected: readonly { code: string; message: string }[];
  }>;
  takeItems(items: readonly Uint8Array[]): Promise<{ added: number; rejected: readonly { code: string; message: string }[] }>;
  /** Errors: as DomainLog.receive. */
  takeEntry(entry: Uint8Array): Promise<ReceiveResult>;
  /** Reports that entries were taken in: neighbours may lack them. */
  gained(): void;
  /** True while this node, restored from a backup, does not know what it has revoked since. */
  isAwaiting(): boolean;
  /** Signs a parcel with this node's key in the domain. */
  seal(bytes: Uint8Array): Uint8Array;
}

/** Figures of one domain, for monitoring. */
export interface DomainFigures {
  name: string;
  counters: Record<string, number>;
  /** By code of protocol/errors.ts. */
  hellosRefused: Record<string, number>;
  joinsRefused: Record<string, number>;
  /** For each member: entries of its log's present epoch that are here, and entries that are missing according to other members. */
  logs: { author: string; entries: number; behind: number }[];
}

/** A member's answer about its clock, and whether it reaches this node. */
export interface Probe {
  /** How far its clock is ahead of this node's, and how large the error may be (`boundMs`). Milliseconds. */
  offsetMs: number;
  boundMs: number;
  /** Addresses of this node that it tried; undefined if it was not asked to, or was too busy to try. */
  tried: { address: string; reached: boolean }[] | undefined;
}

/** Everything that the rest of the daemon may ask of the mesh. A `name` is that of the local dtDomain. */
export interface Mesh {
  start(): Promise<void>;
  stop(): Promise<void>;
  domains(): DomainView[];
  domain(name: string): DomainView | undefined;
  /** The other member whose objects show in this namespace. */
  memberNamed(namespace: string): { domain: DomainId; peer: PeerKey } | undefined;
  /** Creates a domain. The recovery key is returned once and stored nowhere. */
  create(name: string): Promise<{ domain: DomainView; recoveryKey: string }>;
  /**
   * Joins through any member. Errors: the TOKEN_, ADDRESS_ and name codes. Stores nothing of the domain if it fails, except the key of a
   * join that was not answered. `onElsewhere` is called if an address in the token had to be used.
   */
  join(name: string, address: string, token: string, options?: JoinOptions): Promise<DomainView>;
  /** Tells the members, and deletes the domain's key and data. The holder of the root key needs `force`. */
  leave(name: string, options?: { force?: boolean }): Promise<void>;
  invite(name: string, options?: { uses?: number; expiresMs?: number; replace?: string }): Promise<InviteView>;
  invites(name: string): Promise<InviteView[]>;
  revokeInvite(name: string, inviteId: string): Promise<void>;
  /** Removes a member for good. NOT_FOUNDER on any node that does not hold the root key. */
  removePeer(name: string, id: PeerId): Promise<void>;
  /** Makes the reserved name of a removed member available again. */
  freeName(name: string, nodeName: string): Promise<void>;
  /** Ends the suspension of an author whose log forked. */
  clear(name: string, id: PeerId): Promise<void>;
  exportRoot(name: string): Promise<string>;
  importRoot(name: string, rootKey: string): Promise<void>;
  /** Makes a new root by means of the recovery key; returns the next recovery key, once. */
  rotateRoot(name: string, recoveryKey: string): Promise<{ recoveryKey: string }>;
  /**
   * Opens a stream to a member; connects with it if needed. PEER_AWAY if it cannot be reached; at once if it could not be a moment ago.
   * Back-pressure is the Duplex's own.
   */
  openStream(domain: DomainId, peer: PeerKey, protocol: string, signal?: AbortSignal): Promise<Duplex>;
  /**
   * Asks a connected member for its clock, and with `reach` whether it can dial the addresses that this node announces. Errors: PEER_AWAY,
   * TIMEOUT, VERSION_TOO_OLD (it cannot be asked that).
   */
  probe(domain: DomainId, peer: PeerKey, options: { reach: boolean; signal: AbortSignal }): Promise<Probe>;
  /** Reports that something is wanted of an absent member: it is tried soon, and more often for a while. Cheap. */
  want(domain: DomainId, peer: PeerKey): void;
  /** Keeps the connection with a member, if there is one, even when no stream runs on it. Returns a function that releases it. */
  hold(domain: DomainId, peer: PeerKey): () => void;
  /** Serves a members-only protocol, `/dtkd/NAME/X.Y.Z`. */
  handle(protocol: string, handler: (stream: Duplex, from: { domain: DomainId; peer: PeerKey }) => void): void;
  /** Addresses at which a member may be dialled directly, the best first; empty while it is away or only relayed. */
  directAddresses(domain: DomainId, peer: PeerKey): { host: string; port: number }[];
  /** Called when domains, members or connections changed. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
  /**
   * Called for every TCP connection to a mesh port that begins with a TLS ClientHello (0x16), since the fast lane shares the one open
   * port. The bytes read so far are put back into the socket.
   */
  onTlsSocket(handler: (socket: import('node:net').Socket, domain: DomainId) => void): void;
  /** A domain as files carry it; undefined if this node is not in it (any more). */
  carrying(name: string): DomainCarrying | undefined;
  /** Signs with this node's key in a domain. NOT_A_MEMBER if it is not in it. */
  sign(domain: DomainId, context: SigningContext, bytes: Uint8Array): Uint8Array;
  /** Opens data sealed (protocol/keys/sealing.ts) to this node's key in a domain; undefined if it was not sealed to it. */
  unseal(domain: DomainId, sealed: Uint8Array): Promise<Uint8Array | undefined>;
  /**
   * When this node last found that its disk was behind what it had published, in milliseconds since the epoch. What it did until then may
   * be missing from the disk.
   */
  restoredAt(): number | undefined;
  counters(): Record<string, number>;
  /** Figures of each domain. */
  figures(): Promise<DomainFigures[]>;
}
