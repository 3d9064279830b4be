import type { AccessRules } from '../../../protocol/kinds/review.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Principal, UserPrincipal } from '../../../protocol/rights/principal.ts';

/** What a decision is about: an object (as it is, or as it would be created), or only its kind and name where there is none. */
export interface Asked {
  verb: CapabilityVerb;
  group: string;
  plural: string;
  name: string;
  object?: ApiObject;
  /** Of a resource of another node's model: its type and those that it extends, in lower case. Absent: as this node's types say. */
  lineage?: readonly string[];
}

/** `because` names what it rests on, for `dtkd can` and the audit: "the operator of this node", "capability c-x1y2z", "share s-… into research@node0". */
export type Decision = { allowed: true; because: string } | { allowed: false; reason: string };

/** How much of an object somebody sees: all of it, its kind and name, or nothing. */
export type Visibility = 'full' | 'name' | 'hidden';

/** What a principal sees of a kind: everything, nothing, or what the function says of each object. */
export type View = 'all' | 'none' | ((object: ApiObject) => Visibility);

/** Decides every request on this node, from its own store and the trusts that it knows; synchronous, always up to date with the last durable change. */
export interface Access {
  decide(principal: Principal, asked: Asked): Decision;
  view(principal: Principal, group: string, plural: string): View;
  /** What somebody may do on this node, as far as rules can say it. */
  rules(principal: Principal): AccessRules;
  /** False for a user that was deleted, and for one of a node whose word does not count. */
  isPresent(user: UserPrincipal): boolean;
  /** Called after anything changed that decisions rest on (grants, trusts, users, time that ran out). Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
  /** Called after a token was replaced: what was begun with the old one is to end. Returns a function that unsubscribes. */
  onTokenEnd(listener: () => void): () => void;
  /** The user of a bearer token of this node. */
  authenticate(bearerToken: string): Principal | undefined;
  /** A user of another node, as that node vouches for it. */
  remoteUser(from: { peerKey: string; namespace: string }, user: { name: string; uid: string }): UserPrincipal;
}

/** One line of the audit log, without what links it. */
export interface AuditRecord {
  /** `operator`, or `ops@node1`. */
  who: string;
  /** Key of the home node of a remote user. */
  home?: string;
  verb: string;
  /** `GROUP/PLURAL/NAMESPACE/NAME`, as far as the request named it. */
  what: string;
  outcome: 'allowed' | 'denied' | 'failed';
  /** Why, or the error's code. */
  because: string;
}

/** Takes lines without waiting, and never throws; they are written with all others of the same turn, and signed and synced together soon after. */
export interface Audit {
  record(line: AuditRecord): void;
}
