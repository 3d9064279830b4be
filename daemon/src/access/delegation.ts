/**
 * Who may make and revoke grants. Pure. A right is passed on by a user who holds it together with MANAGE, or granted by the user who made
 * the object.
 */
import { isRecord } from '../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { capabilityKind, scopeText } from '../../../protocol/kinds/capability.ts';
import { shareKind } from '../../../protocol/kinds/share.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { type CapabilityVerb, capabilityVerbs, grantScope, MAX_DELEGATION_DEPTH } from '../../../protocol/rights/capability.ts';
import { subject, subjectText, type UserPrincipal } from '../../../protocol/rights/principal.ts';
import type { Asked, Decision } from './access.types.ts';
import type { Facts, Grant, ParentLink } from './facts.types.ts';
import { parentLink } from './grants.ts';
import { covers, kindOfScope, kindText, type Scope, scopeOf } from './scope.ts';
import { above, lives } from './standing.ts';
import { inOrder, listText } from './verbs.ts';

/** What a new grant is to give. */
export interface Wanted {
  verbs: readonly CapabilityVerb[];
  scope: Scope;
}

export type Granting = { allowed: true; because: string; parent?: ParentLink } | { allowed: false; reason: string };

/**
 * True for Capabilities and Shares, which are created and revoked through MANAGE on what they are about, and not through rights on their
 * own kind.
 */
export function isGrantKind({ group, plural }: Pick<Asked, 'group' | 'plural'>): boolean {
  return group === capabilityKind.group && (plural === capabilityKind.plural || plural === shareKind.plural);
}

/** Parses what a new Capability or Share is to give. Throws INVALID or BAD_REQUEST. */
export function wantedOf(object: ApiObject): Wanted {
  const spec = isRecord(object['spec']) ? object['spec'] : {};
  const on = grantScope.safeParse(spec['on']);
  const verbs = capabilityVerbs.safeParse(spec['verbs']);
  if (!on.success || !verbs.success) throw new DtkdError('INVALID', 'it does not say which verbs it gives on which objects');
  const kind = kindOfScope(on.data.kind);
  return {
    verbs: inOrder(verbs.data),
    scope: scopeOf({ ...on.data, kind: kind === undefined ? '*' : kindText(kind.group, kind.plural) }),
  };
}

export function decideGranting(principal: UserPrincipal, { plural, object }: Asked, facts: Facts, now: number): Decision {
  if (object === undefined)
    return { allowed: false, reason: `${principal.display} may create ${plural} only for what it holds with MANAGE` };
  try {
    return judgeGranting(principal, wantedOf(object), facts, now);
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    return { allowed: false, reason: error.message };
  }
}

/** Finds the right that a new grant by a user would rest on. */
export function judgeGranting(principal: UserPrincipal, wanted: Wanted, facts: Facts, now: number): Granting {
  const user = subjectText(principal);
  const { scope } = wanted;
  if (scope.name !== undefined && scope.kind !== '*' && facts.creatorOf(scope.kind, scope.name) === user) {
    return { allowed: true, because: `made ${scope.kind} "${scope.name}"` };
  }
  let missing: CapabilityVerb[] | undefined;
  let exhausted: Grant | undefined;
  for (const { grant, membership } of managed(user, facts, now)) {
    if (!covers(grant.scope, scope)) continue;
    const lacks = wanted.verbs.filter((verb) => !grant.verbs.has(verb));
    if (lacks.length > 0) {
      if (missing === undefined || lacks.length < missing.length) missing = lacks;
    } else if ((above(grant, facts)?.length ?? 0) >= MAX_DELEGATION_DEPTH) exhausted = grant;
    else {
      const parent = { name: grant.name, uid: grant.uid, ...(membership === undefined ? {} : { membership }) };
      return { allowed: true, because: `capability ${grant.name}`, parent };
    }
  }
  const about = scopeText({ ...scope, ...(scope.labels === undefined ? {} : { labelSelector: 'with these labels' }) });
  if (exhausted !== undefined) {
    const why = `capability ${exhausted.name} has been passed on ${MAX_DELEGATION_DEPTH} times, which is the limit`;
    return { allowed: false, reason: `${principal.display} may not grant on ${about}: ${why}` };
  }
  if (missing !== undefined) {
    return {
      allowed: false,
      reason: `${principal.display} may not grant ${listText(missing)} on ${about}: it does not have that right itself`,
    };
  }
  return { allowed: false, reason: `${principal.display} may not grant on ${about}: it does not have MANAGE on anything that covers it` };
}

/** Capabilities that give a user MANAGE now. */
function* managed(user: string, facts: Facts, now: number): Generator<{ grant: Grant; membership?: string }> {
  const usable = (grant: Grant) =>
    grant.source === 'capability' && grant.verbs.has('MANAGE') && holdsWhole(grant, facts) && lives(grant, facts, now);
  for (const grant of facts.grantsTo(user)) if (usable(grant)) yield { grant };
  for (const trust of facts.trustsOf(user)) {
    const membership = facts.membership(trust, user);
    if (membership === undefined) continue;
    for (const grant of facts.grantsTo(trust)) if (usable(grant)) yield { grant, membership };
  }
}

/** True if no grant above this one narrows it. */
function holdsWhole(grant: Grant, facts: Facts): boolean {
  let lower = grant;
  return (above(grant, facts) ?? []).every(({ grant: upper }) => {
    const whole = covers(upper.scope, lower.scope) && [...lower.verbs].every((verb) => upper.verbs.has(verb));
    lower = upper;
    return whole;
  });
}

/** A grant can be revoked by the user who made it, and by those with a right that it rests on. */
export function decideRevoking(principal: UserPrincipal, { plural, name, object }: Asked, facts: Facts, now: number): Decision {
  const user = subjectText(principal);
  const own = object?.metadata.namespace === undefined || object.metadata.namespace === facts.node;
  if (object !== undefined && own) {
    const grantor = subject.safeParse(object['grantor']).data;
    if (grantor !== undefined && subjectText(grantor) === user) return { allowed: true, because: `made ${plural} "${name}"` };
    const parent = parentLink(object['parent']);
    for (const { grant } of above(parent === undefined ? {} : { parent }, facts) ?? []) {
      if (grant.grantor === user) return { allowed: true, because: `granted capability ${grant.name}, on which it stands` };
      const holds = grant.toTrust ? facts.membership(grant.recipient, user) !== undefined : grant.recipient === user;
      if (holds && grant.verbs.has('MANAGE') && lives(grant, facts, now)) {
        return { allowed: true, because: `capability ${grant.name}, on which it stands` };
      }
    }
  }
  const why = 'the operator, who granted it, or who holds what it was passed on from can do that';
  return { allowed: false, reason: `${principal.display} may not DELETE ${plural} "${name}": ${why}` };
}
