import type { DomainId, PeerId, PeerKey } from '../../../../protocol/ids.ts';

/** A root fact, certificate, leave or fork proof: the envelope as received. */
export interface SignedItem {
  /** 64 hex digits: SHA-256 of the payload in the envelope, so that another signature does not make another item. */
  id: string;
  bytes: Uint8Array;
}

export interface Member {
  key: PeerKey;
  id: PeerId;
  /** The name in its certificate (or genesis, or rotation). */
  claimedName: string;
  /** Unique in the domain: the bare name, or `name-<6 hex>` while two live members claim it and the root has not decided. */
  displayName: string;
  /** True while the bare name is claimed by several live members, or reserved, and the root has not decided. */
  ambiguous: boolean;
  admittedBy: PeerKey | undefined;
  /** Id of the grant under which it was admitted. */
  grant: string | undefined;
}

export interface Invite {
  /** Id of the grant (64 hex digits). */
  grant: string;
  uses: number;
  /** Milliseconds since the epoch. */
  expires: number;
  revoked: boolean;
  replace: string | undefined;
  /** Keys admitted under it that the fold accepts. */
  admitted: PeerKey[];
  /** How many more present members than `uses` were admitted (in different partitions). */
  surplus: number;
}

/** The fold of all items: a pure function of the set; it reads no clock and no arrival order. */
export interface MembershipState {
  domain: DomainId;
  name: string;
  /** The current root's public key. */
  root: PeerKey;
  /** Number of rotations so far. */
  rotations: number;
  members: ReadonlyMap<PeerKey, Member>;
  /** Keys that are refused for ever, with the name that they had and the id of the fact that removed them (removal, leave or rotation). */
  removed: ReadonlyMap<PeerKey, { name: string; fact: string; left: boolean }>;
  /** Authors whose logs forked, until cleared. */
  suspended: ReadonlyMap<PeerKey, { proof: string }>;
  /** Names of removed members. Nobody may take them until the root frees them (or a grant says replace). */
  reservedNames: ReadonlySet<string>;
  /** By grant id; only those of the current root. */
  invites: ReadonlyMap<string, Invite>;
}

/** Everything that one domain's members have agreed on: verifies, stores (fsync) and folds signed items. */
export interface Membership {
  readonly domain: DomainId;
  readonly name: string;
  readonly self: PeerKey;
  state(): MembershipState;
  /** True if this node holds the secret of the current root. */
  holdsRoot(): boolean;
  /** Every item that counts, in an order in which each can be verified after those before it. */
  items(): readonly SignedItem[];
  has(id: string): boolean;
  /** 64 hex digits over the sorted ids: equal digests mean equal sets. */
  digest(): string;
  /**
   * Verifies and stores new items, in any order among themselves. Resolves after fsync. What does not verify (yet) is not stored but
   * reported. Never throws for hostile bytes.
   */
  add(items: readonly Uint8Array[]): Promise<{ added: SignedItem[]; rejected: { code: string; message: string }[] }>;
  /** The items that prove `key` a member: genesis, rotations, and the chain of certificates with their grants. */
  chainOf(key: PeerKey): readonly SignedItem[];
  /** Items that prove to a key, a member according to the items it presents, that it no longer is one. Empty if it never was. */
  proofOfFall(key: PeerKey, presented: readonly Uint8Array[]): Promise<readonly SignedItem[]>;
  /** Called after each change of the state. Returns a function that unsubscribes. */
  onChange(listener: (state: MembershipState) => void): () => void;
}
