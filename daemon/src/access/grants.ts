/** Converts stored Capabilities, Shares and Trusts to the facts that decisions use. Pure. Invalid objects grant nothing. */
import { z } from 'zod';
import { capabilityKind, capabilitySchema } from '../../../protocol/kinds/capability.ts';
import { shareKind, shareSchema } from '../../../protocol/kinds/share.ts';
import { trustSchema } from '../../../protocol/kinds/trust.ts';
import { typeSpec } from '../../../protocol/kinds/type.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { SELF, type Subject, subjectText } from '../../../protocol/rights/principal.ts';
import type { Grant, ParentLink } from './facts.types.ts';
import { type Scope, scopeOf } from './scope.ts';
import { withImplied } from './verbs.ts';

const parentSchema = z.object({ name: z.string().max(253), uid: z.string().max(64), membership: z.string().max(64).optional() });

export function parentLink(value: unknown): ParentLink | undefined {
  const parsed = parentSchema.safeParse(value).data;
  if (parsed === undefined) return undefined;
  const { name, uid, membership } = parsed;
  return { name, uid, ...(membership === undefined ? {} : { membership }) };
}

/** The prefix by which a Capability names a trust: `trust:research@node0`. */
export const TRUST_PREFIX = 'trust:';

function capabilityGrant(object: ApiObject): Grant | undefined {
  const parsed = capabilitySchema.safeParse(object).data;
  const scope = parsed === undefined ? undefined : readScope(parsed.spec.on);
  if (parsed?.subject === undefined || scope === undefined) return undefined;
  const toTrust = parsed.subject.kind === 'Trust';
  return {
    source: 'capability',
    ...named(object),
    recipient: subjectText(parsed.subject),
    toTrust,
    shown: toTrust && parsed.spec.to.startsWith(TRUST_PREFIX) ? parsed.spec.to.slice(TRUST_PREFIX.length) : parsed.spec.to,
    verbs: withImplied(parsed.spec.verbs),
    scope,
    expires: expiryOf(parsed.spec.expires),
    ...standing(object, parsed.grantor),
  };
}

/** A share never gives MANAGE: members of a trust cannot pass on what is shared with them. */
function shareGrant(object: ApiObject): Grant | undefined {
  const parsed = shareSchema.safeParse(object).data;
  const scope = parsed === undefined ? undefined : readScope(parsed.spec.on);
  if (parsed?.subject === undefined || scope === undefined) return undefined;
  return {
    source: 'share',
    ...named(object),
    recipient: subjectText(parsed.subject),
    toTrust: true,
    shown: parsed.spec.trust,
    verbs: withImplied(parsed.spec.verbs.filter((verb) => verb !== 'MANAGE')),
    scope,
    expires: expiryOf(parsed.spec.expires),
    ...standing(object, parsed.grantor),
  };
}

/** The grant in an object; undefined if there is none. */
export function grantOf(plural: string, object: ApiObject): Grant | undefined {
  if (plural === capabilityKind.plural) return capabilityGrant(object);
  return plural === shareKind.plural ? shareGrant(object) : undefined;
}

function named({ metadata }: ApiObject): Pick<Grant, 'name' | 'uid'> {
  return { name: metadata.name, uid: metadata.uid };
}

function standing(object: ApiObject, grantor: (Subject & { display?: string | undefined }) | undefined): Partial<Grant> {
  const parent = parentLink(object['parent']);
  // An invalid link leads to no capability, so that the grant is void; otherwise it would rest on the operator's word.
  const link = object['parent'] === undefined ? undefined : (parent ?? { name: '', uid: '' });
  return {
    ...(grantor === undefined ? {} : { grantor: subjectText(grantor), grantorShown: grantor.display ?? grantor.name }),
    ...(link === undefined ? {} : { parent: link }),
  };
}

/** Undefined if the selector is invalid. */
function readScope(on: Parameters<typeof scopeOf>[0]): Scope | undefined {
  try {
    return scopeOf(on);
  } catch {
    return undefined;
  }
}

function expiryOf(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const time = Date.parse(text);
  return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
}

/** A type and its supertype, in lower case since types are compared without regard to case. */
export interface TypeFact {
  type: string;
  extended: string;
}

/** Undefined for a type without a supertype. */
export function typeFact({ metadata, ...fields }: ApiObject): TypeFact | undefined {
  const spec = typeSpec.safeParse(fields['spec']).data;
  if (spec?.extends === undefined) return undefined;
  return { type: (spec.name ?? metadata.name).toLowerCase(), extended: spec.extends.toLowerCase() };
}

/** The present members of a trust, each with the id of its membership. */
export interface TrustFact {
  trust: string;
  members: ReadonlyMap<string, string>;
}

/**
 * Reads a Trust. `author` is the key of its author's node, or `self` for a trust of this node. In the Trust, `self` means the author's
 * node, and one of this node's own keys means this node.
 */
export function trustFact({ metadata, ...fields }: ApiObject, author: string, ownKeys: ReadonlySet<string>): TrustFact | undefined {
  const parsed = trustSchema.safeParse(fields).data;
  if (parsed === undefined) return undefined;
  const homeOf = (home: string) => (home === SELF ? author : ownKeys.has(home) ? SELF : home);
  return {
    trust: subjectText({ home: author, name: metadata.name, uid: metadata.uid }),
    members: new Map((parsed.members ?? []).map((member) => [subjectText({ ...member, home: homeOf(member.home) }), member.membership])),
  };
}
