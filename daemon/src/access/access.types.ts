import type { AccessRules } from '../../../protocol/kinds/review.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Principal, UserPrincipal } from '../../../protocol/rights/principal.ts';

/** What a decision is about: an object, stored or about to be created; or only its kind and name if there is none. */
export interface Asked {
  verb: CapabilityVerb;
  group: string;
  plural: string;
  name: string;
  object?: ApiObject;
  /** For a resource of another node's model: its type and that type's supertypes, in lower case. Absent: as this node's types say. */
  lineage?: readonly string[];
}

/**
 * `because` names the ground of a decision, for `dtkd can` and the audit log: "the operator of this node", "capability c-x1y2z", "share s-…
 * into research@node0".
 */
export type Decision = { allowed: true; because: string } | { allowed: false; reason: string };

/** How much of an object a principal sees: all of it, its kind and name, or nothing. */
export type Visibility = 'full' | 'name' | 'hidden';

/** What a principal sees of a kind: everything, nothing, or what the function returns for each object. */
export type View = 'all' | 'none' | ((object: ApiObject) => Visibility);

/**
 * Decides every request on this node, from its own store and the trusts that it knows. Synchronous, and always up to date with the last
 * durable change.
 */
export interface Access {
  decide(principal: Principal, asked: Asked): Decision;
  view(principal: Principal, group: string, plural: string): View;
  /** What a principal may do on this node, as far as a list of rules can express it. */
  rules(principal: Principal): AccessRules;
  /** False for a deleted user, and for a user of a node that is no present member, or is suspended. */
  isPresent(user: UserPrincipal): boolean;
  /** Called after a change of anything that decisions use: grants, trusts, users, expiry. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
  /** Called after a token was replaced, so that what was begun with the old one can be ended. Returns a function that unsubscribes. */
  onTokenEnd(listener: () => void): () => void;
  /** The principal of a bearer token of this node. */
  authenticate(bearerToken: string): Principal | undefined;
  /** A user of another node, for whom that node vouches. */
  remoteUser(from: { peerKey: string; namespace: string }, user: { name: string; uid: string }): UserPrincipal;
}

/** One line of the audit log, without its links to the chain. */
export interface AuditRecord {
  /** `operator`, or `ops@node1`. */
  who: string;
  /** Key of a remote user's home node. */
  home?: string;
  verb: string;
  /** `GROUP/PLURAL/NAMESPACE/NAME`, as far as the request named it. */
  what: string;
  outcome: 'allowed' | 'denied' | 'failed';
  /** The ground, or the error's code. */
  because: string;
}

/**
 * Accepts lines without waiting, and never throws. Lines of one turn of the event loop are written together, and signed and synced soon
 * after.
 */
export interface Audit {
  record(line: AuditRecord): void;
}
