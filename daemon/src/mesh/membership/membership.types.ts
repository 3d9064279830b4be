import type { DomainId, PeerId, PeerKey } from '../../../../protocol/ids.ts';

/** A root fact, certificate, leave or fork proof: the envelope as received. */
export interface SignedItem {
  /** 64 hex digits: SHA-256 of the payload in the envelope, so that no second signature makes a second item. */
  id: string;
  bytes: Uint8Array;
}

export interface Member {
  key: PeerKey;
  id: PeerId;
  /** The name in its certificate (or genesis, or rotation). */
  claimedName: string;
  /** Unique in the domain: the bare name, or `name-<6 hex>` while two live members claim it and the root has not settled it. */
  displayName: string;
  /** True while the bare name is claimed by several live members and not settled. */
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
  /** How many more than `uses` were admitted in all (in different partitions). */
  surplus: number;
}

/** The fold of all items: a pure function of the set; it reads no clock and no arrival order. */
export interface MembershipState {
  domain: DomainId;
  name: string;
  /** The current root's public key. */
  root: PeerKey;
  /** How many rotations there have been. */
  rotations: number;
  members: ReadonlyMap<PeerKey, Member>;
  /** Keys that are refused for ever, with the name that they had and the id of the fact that removed them (removal or leave). */
  removed: ReadonlyMap<PeerKey, { name: string; fact: string; left: boolean }>;
  /** Authors whose log forked, until cleared. */
  suspended: ReadonlyMap<PeerKey, { proof: string }>;
  /** Names of removed members that nobody may take until the root frees them (or a grant says replace). */
  reservedNames: ReadonlySet<string>;
  /** By grant id, of the current root only. */
  invites: ReadonlyMap<string, Invite>;
}

/** All that one domain's members have agreed on, kept durably: verifies, persists (fsync) and folds signed items. */
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
   * Verifies and keeps new items in any order among themselves; resolves after fsync. What does not verify (yet) is not kept and is
   * reported. Never throws for hostile bytes.
   */
  add(items: readonly Uint8Array[]): Promise<{ added: SignedItem[]; rejected: { code: string; message: string }[] }>;
  /** The items that prove `key` a member: genesis, rotations, and the chain of certificates with their grants. */
  chainOf(key: PeerKey): readonly SignedItem[];
  /** What proves to a key that was a member by the items it presents that it is none any more. Empty if it never was. */
  proofOfFall(key: PeerKey, presented: readonly Uint8Array[]): Promise<readonly SignedItem[]>;
  /** Called after the state changed. Returns a function that unsubscribes. */
  onChange(listener: (state: MembershipState) => void): () => void;
}
