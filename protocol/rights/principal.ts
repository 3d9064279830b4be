/** Who asks: as a daemon has authenticated them, and as objects record them. */
import { z } from 'zod';
import { objectName } from '../objects/objects.ts';

/** Name of the principal that holds a node's operator token. */
export const OPERATOR = 'operator';

/**
 * `self`: the node that reads or decides this. Otherwise 64 hex digits: the PeerKey of the home node in the domain through which it is
 * known.
 */
export type Home = string;
export const SELF: Home = 'self';

/**
 * Annotation that the daemon sets when a user creates an object: the `subjectText` of that user, who has every right on it. Clients can
 * neither set nor change it.
 */
export const CREATOR_ANNOTATION = 'dtkd.dev/creator';

/**
 * Annotation that the daemon sets with `metadata.ownerReferences`: the `principalText` of whoever set them, and so agreed that the object
 * is deleted once those owners are gone. Clients can neither set nor change it.
 */
export const OWNERS_ANNOTATION = 'dtkd.dev/owners-said-by';

/**
 * Annotation that the daemon sets on an object whose deletion waits for its dependents: the `principalText` of whoever deleted it.
 * Clients cannot set it.
 */
export const DELETION_ANNOTATION = 'dtkd.dev/deletion-said-by';

/** Annotations that only the daemon writes. Values in documents are dropped. */
export const SERVER_ANNOTATIONS: readonly string[] = [CREATOR_ANNOTATION, OWNERS_ANNOTATION, DELETION_ANNOTATION];

/**
 * Annotation that a node sets on its replicas of the kinds that require it (`Kind.attributed`): the author's key, as proved by the
 * signature of its log. A namespace is only a name, and may later mean another node.
 */
export const AUTHOR_ANNOTATION = 'dtkd.dev/author';

/**
 * Identifies a user or a trust permanently. The name is for display; a user that is deleted and created again has another uid and
 * inherits nothing. What a node writes about its own users says `self`; in published objects, that means the author of the log.
 */
export interface Subject {
  home: Home;
  name: string;
  uid: string;
}

/** The holder of this node's operator token: all rights here, none elsewhere. */
export interface OperatorPrincipal {
  type: 'operator';
  name: typeof OPERATOR;
}

/** A user, of this node or of a member that vouches for it on its own connection. */
export interface UserPrincipal extends Subject {
  type: 'user';
  /** `ops@node1`, for people. */
  display: string;
}

export type Principal = OperatorPrincipal | UserPrincipal;

export const uid = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be a uid')
  .describe('The UID, which differs from that of a later object of the same name.');

export const subject = z.object({
  home: z
    .string()
    .regex(/^(self|[0-9a-f]{64})$/, 'must be "self" or a key of 64 hexadecimal digits')
    .describe('The key of the home node, or self for the node that owns this object.'),
  name: objectName.describe('The name on the home node.'),
  uid,
});

/** The user who granted something, as objects record it. */
export const grantor = subject.extend({
  display: z.string().max(320).optional().describe('USER@NODE, as the user was known.'),
  domain: z
    .string()
    .max(253)
    .optional()
    .describe('The name of the dtDomain through which the home node is known. Not set for a user of this node.'),
});
export type Grantor = z.infer<typeof grantor>;

/** Returns the fields with the grantor's domain removed, as they are published. */
export function publishedGrantor<T extends { grantor?: Grantor | undefined }>(fields: T): T {
  if (fields.grantor === undefined) return fields;
  const { domain: _domain, ...kept } = fields.grantor;
  return { ...fields, grantor: kept };
}

/** Returns one text per subject, for comparison and indexes. */
export function subjectText({ home, name, uid: id }: Subject): string {
  return `${name}/${id}@${home}`;
}

/** Returns one text per principal, for what is done later in their name. */
export function principalText(principal: Principal): string {
  return principal.type === 'operator' ? OPERATOR : subjectText(principal);
}

const SUBJECT_TEXT = /^([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)\/([A-Za-z0-9-]{1,64})@(self|[0-9a-f]{64})$/;

/**
 * Parses a `principalText` on the node that wrote it; undefined if it is not one. A user of another node is displayed with the beginning
 * of its key.
 */
export function parsePrincipal(text: string | undefined, node: string): Principal | undefined {
  if (text === OPERATOR) return { type: 'operator', name: OPERATOR };
  const match = SUBJECT_TEXT.exec(text ?? '');
  if (match === null) return undefined;
  const [, name = '', uid = '', home = ''] = match;
  return { type: 'user', home, name, uid, display: `${name}@${home === SELF ? node : home.slice(0, 6)}` };
}

export function displayOf(principal: Principal): string {
  return principal.type === 'operator' ? OPERATOR : principal.display;
}

const USER_AT_NODE = /^([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)@([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)$/;

/** Parses `name@node`; undefined for any other text. */
export function parseNameAtNode(text: string): { name: string; node: string } | undefined {
  const match = USER_AT_NODE.exec(text);
  return match === null ? undefined : { name: match[1] ?? '', node: match[2] ?? '' };
}
