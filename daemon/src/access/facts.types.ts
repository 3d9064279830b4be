import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Scope } from './scope.ts';

/** A Capability or a Share of this node, as decisions see it. Users and trusts are texts (`subjectText`), with `self` for this node. */
export interface Grant {
  source: 'capability' | 'share';
  name: string;
  uid: string;
  /** Of the user who has it, or of the trust whose present members do. */
  recipient: string;
  toTrust: boolean;
  /** `research@node0`, for people. */
  shown: string;
  /** With what they imply. */
  verbs: ReadonlySet<CapabilityVerb>;
  scope: Scope;
  /** Milliseconds since the epoch; Infinity if it does not end. */
  expires: number;
  /** The user who granted it; absent: the operator. */
  grantor?: string;
  /** `ops@node1`, for people. */
  grantorShown?: string;
  parent?: ParentLink;
}

/** The capability that was passed on; `membership` if its grantor had it as a member of a trust: of that stay. */
export interface ParentLink {
  name: string;
  uid: string;
  membership?: string;
}

/** Grants of one recipient for one kind, by what narrows them most. */
export interface GrantBuckets {
  byName: ReadonlyMap<string, readonly Grant[]>;
  byModel: ReadonlyMap<string, readonly Grant[]>;
  rest: readonly Grant[];
}

/** All that a decision rests on, besides the question and the time. */
export interface Facts {
  /** This node's name: the namespace of its own objects. */
  node: string;
  /** Own users that there are. */
  hasUser(user: string): boolean;
  /** Nodes whose word counts: present members, not suspended. */
  hasHome(key: string): boolean;
  /** Grants to a user or a trust, for a kind (`plural.group`) or `*`. */
  grants(recipient: string, kind: string): GrantBuckets | undefined;
  /** All grants to a user or a trust. */
  grantsTo(recipient: string): Iterable<Grant>;
  capability(uid: string): Grant | undefined;
  /** Trusts in which a user is a member now. */
  trustsOf(user: string): Iterable<string>;
  /** The id of a user's present stay in a trust. */
  membership(trust: string, user: string): string | undefined;
  /** The user who made an own object. */
  creatorOf(kind: string, name: string): string | undefined;
  /** True if a user has ever made an object of a kind. */
  hasCreated(kind: string, user: string): boolean;
  /** A type and those that it extends, in lower case. */
  ancestry(type: string): readonly string[];
}
