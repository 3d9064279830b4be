/**
 * Whether a grant stands. Pure. A grant that was passed on stands only if all grants above it do, and each of those still reaches the user
 * who passed it on, whom the user's home must still have. The topmost one is from the operator, or from the user who made the object.
 */
import { type CapabilityVerb, MAX_DELEGATION_DEPTH } from '../../../protocol/rights/capability.ts';
import { CREATOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import type { Asked } from './access.types.ts';
import type { Facts, Grant, ParentLink } from './facts.types.ts';
import { kindText, matchesScope } from './scope.ts';

/** True if a user (`subjectText`) that asks counts: one of this node that is not deleted, or one of a member that is not suspended. */
export function isPresent(user: string, facts: Facts): boolean {
  const home = user.slice(user.lastIndexOf('@') + 1);
  return home === 'self' ? facts.hasUser(user) : facts.hasHome(home);
}

/**
 * True if what a user granted counts. Nobody vouches for the user now, so its home must still publish it: otherwise what a deleted user
 * passed on would stand on other nodes for ever.
 */
function maySpeak(grantor: string, facts: Facts): boolean {
  return facts.hasUser(grantor) && isPresent(grantor, facts);
}

/** The grants above one that was passed on, nearest first; undefined if one is gone, or there are more than a right may be passed on. */
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

/** True if a grant stands now. With `asked`, it must also stand for that object. */
export function lives(grant: Grant, facts: Facts, now: number, asked?: Asked): boolean {
  const chain = above(grant, facts);
  return chain !== undefined && livesOn(grant, chain, facts, now, asked);
}

function livesOn(grant: Grant, chain: readonly { grant: Grant; link: ParentLink }[], facts: Facts, now: number, asked?: Asked): boolean {
  let lower = grant;
  if (grant.expires <= now) return false;
  for (const { grant: upper, link } of chain) {
    if (upper.expires <= now || !upper.verbs.has('MANAGE')) return false;
    if (lower.grantor === undefined || !maySpeak(lower.grantor, facts) || !reaches(upper, lower.grantor, link, facts)) return false;
    lower = upper;
  }
  return lower.grantor === undefined || (maySpeak(lower.grantor, facts) && isCreatorOfScope(lower, lower.grantor, facts, asked));
}

/**
 * True if the grant still reaches the user who passed it on. A member who is removed from a trust and added again has a new membership,
 * under which the old right does not count.
 */
function reaches(grant: Grant, user: string, link: ParentLink, facts: Facts): boolean {
  if (!grant.toTrust) return grant.recipient === user;
  return link.membership !== undefined && facts.membership(grant.recipient, user) === link.membership;
}

/** True if the scope names an object that the user made: a creator can grant only that. */
function isCreatorOfScope({ scope }: Grant, user: string, facts: Facts, asked: Asked | undefined): boolean {
  if (scope.name === undefined || scope.kind === '*') return false;
  if (asked !== undefined) return matchesScope(scope, asked, facts) && creatorOf(asked, facts) === user;
  return facts.creatorOf(scope.kind, scope.name) === user;
}

/** The user who made an object of this node; undefined for one that is yet to be created. */
export function creatorOf({ group, plural, name, object }: Asked, facts: Facts): string | undefined {
  if (object === undefined) return facts.creatorOf(kindText(group, plural), name);
  return object.metadata.uid === '' ? undefined : object.metadata.annotations?.[CREATOR_ANNOTATION];
}

/** True if a grant, and all grants above it, allow what is asked. */
export function allows(grant: Grant, verb: CapabilityVerb, asked: Asked, facts: Facts, now: number): boolean {
  if (!grant.verbs.has(verb) || !matchesScope(grant.scope, asked, facts)) return false;
  const chain = above(grant, facts);
  if (chain === undefined) return false;
  for (const { grant: upper } of chain) {
    if (!upper.verbs.has(verb) || !matchesScope(upper.scope, asked, facts)) return false;
  }
  return livesOn(grant, chain, facts, now, asked);
}
