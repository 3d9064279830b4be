/**
 * Whether a grant stands: pure. A grant that was passed on stands only on all those above it, and each of them only while it still reaches
 * the user who passed it on; the first one was given by the operator, or by the user who made the object.
 */
import { type CapabilityVerb, MAX_DELEGATION_DEPTH } from '../../../protocol/rights/capability.ts';
import { CREATOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import type { Asked } from './access.types.ts';
import type { Facts, Grant, ParentLink } from './facts.types.ts';
import { kindText, matchesScope } from './scope.ts';

/** True if a user (`subjectText`) is there: not deleted here, or of a node whose word counts. */
export function isPresent(user: string, facts: Facts): boolean {
  const home = user.slice(user.lastIndexOf('@') + 1);
  return home === 'self' ? facts.hasUser(user) : facts.hasHome(home);
}

/** The grants above one that was passed on, the nearest first; undefined if one is gone, or there are more than a right may be passed on. */
export function above({ parent }: Pick<Grant, 'parent'>, facts: Facts): { grant: Grant; link: ParentLink }[] | undefined {
  const chain: { grant: Grant; link: ParentLink }[] = [];
  for (let link = parent; link !== undefined; ) {
    const grant = facts.capability(link.uid);
    if (grant === undefined || grant.name !== link.name || chain.length === MAX_DELEGATION_DEPTH) return undefined;
    chain.push({ grant, link });
    link = grant.parent;
  }
  return chain;
}

/** True if a grant stands now, whatever it is asked for. */
export function lives(grant: Grant, facts: Facts, now: number, asked?: Asked): boolean {
  const chain = above(grant, facts);
  return chain !== undefined && livesOn(grant, chain, facts, now, asked);
}

function livesOn(grant: Grant, chain: readonly { grant: Grant; link: ParentLink }[], facts: Facts, now: number, asked?: Asked): boolean {
  let lower = grant;
  if (grant.expires <= now) return false;
  for (const { grant: upper, link } of chain) {
    if (upper.expires <= now || !upper.verbs.has('MANAGE')) return false;
    if (lower.grantor === undefined || !isPresent(lower.grantor, facts) || !reaches(upper, lower.grantor, link, facts)) return false;
    lower = upper;
  }
  return lower.grantor === undefined || (isPresent(lower.grantor, facts) && isCreatorOfScope(lower, lower.grantor, facts, asked));
}

/** Who had it as a member of a trust has it no more once removed there, also when added again: that is another stay. */
function reaches(grant: Grant, user: string, link: ParentLink, facts: Facts): boolean {
  if (!grant.toTrust) return grant.recipient === user;
  return link.membership !== undefined && facts.membership(grant.recipient, user) === link.membership;
}

/** What the creator of an object granted names that object. */
function isCreatorOfScope({ scope }: Grant, user: string, facts: Facts, asked: Asked | undefined): boolean {
  if (scope.name === undefined || scope.kind === '*') return false;
  if (asked !== undefined) return matchesScope(scope, asked, facts) && creatorOf(asked, facts) === user;
  return facts.creatorOf(scope.kind, scope.name) === user;
}

/** Who made an object of this node; of one that is only about to be made: nobody. */
export function creatorOf({ group, plural, name, object }: Asked, facts: Facts): string | undefined {
  if (object === undefined) return facts.creatorOf(kindText(group, plural), name);
  return object.metadata.uid === '' ? undefined : object.metadata.annotations?.[CREATOR_ANNOTATION];
}

/** True if a grant, and all above it, allow what is asked. */
export function allows(grant: Grant, verb: CapabilityVerb, asked: Asked, facts: Facts, now: number): boolean {
  if (!grant.verbs.has(verb) || !matchesScope(grant.scope, asked, facts)) return false;
  const chain = above(grant, facts);
  if (chain === undefined) return false;
  for (const { grant: upper } of chain) {
    if (!upper.verbs.has(verb) || !matchesScope(upper.scope, asked, facts)) return false;
  }
  return livesOn(grant, chain, facts, now, asked);
}
