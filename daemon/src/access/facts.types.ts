import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Scope } from './scope.ts';

/** A Capability or a Share of this node, as decisions use it. Users and trusts are texts (`subjectText`), with `self` for this node. */
export interface Grant {
  source: 'capability' | 'share';
  name: string;
  uid: string;
  /** The user who has it, or the trust whose present members do. */
  recipient: string;
  toTrust: boolean;
  /** The recipient for people: `research@node0`. */
  shown: string;
  /** Including the verbs that these imply. */
  verbs: ReadonlySet<CapabilityVerb>;
  scope: Scope;
  /** Milliseconds since the epoch; Infinity if it does not expire. */
  expires: number;
  /** The user who granted it; absent: the operator. */
  grantor?: string;
  /** The grantor for people: `ops@node1`. */
  grantorShown?: string;
  parent?: ParentLink;
}

/** The capability that was passed on. `membership`: if the grantor had it through a trust, the id of that membership. */
export interface ParentLink {
  name: string;
  uid: string;
  membership?: string;
}

/** Grants to one recipient for one kind, by their most selective field. */
export interface GrantBuckets {
  byName: ReadonlyMap<string, readonly Grant[]>;
  byModel: ReadonlyMap<string, readonly Grant[]>;
  rest: readonly Grant[];
}

/** All that a decision depends on, besides the question and the time. */
export interface Facts {
  /** This node's name: the namespace of its own objects. */
  node: string;
  /** True for existing users of this node, and for those of other nodes that made a grant here and that their homes still have. */
  hasUser(user: string): boolean;
  /** True for nodes whose users and trusts count: present members, not suspended. */
  hasHome(key: string): boolean;
  /** Grants to a user or a trust, for a kind (`plural.group`) or `*`. */
  grants(recipient: string, kind: string): GrantBuckets | undefined;
  /** All grants to a user or a trust. */
  grantsTo(recipient: string): Iterable<Grant>;
  capability(uid: string): Grant | undefined;
  /** Trusts that a user is a member of now. */
  trustsOf(user: string): Iterable<string>;
  /** The id of a user's present membership in a trust. */
  membership(trust: string, user: string): string | undefined;
  /** The user who made an own object. */
  creatorOf(kind: string, name: string): string | undefined;
  /** True if a user has made an object of a kind; may stay true after the object is gone. */
  hasCreated(kind: string, user: string): boolean;
  /** A type and its supertypes, in lower case. */
  ancestry(type: string): readonly string[];
}
