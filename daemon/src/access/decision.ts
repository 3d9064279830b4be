/**
 * The one function that decides every request, local or remote: pure. The operator may do everything; a user what it made, what it was
 * granted, what was shared into a trust of which it is a member, and read what is public among nodes; nobody anything else. Only this node's
 * own grants count, and only on its own objects.
 */
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import { eventKind } from '../../../protocol/kinds/event.ts';
import { KINDS, kindByPlural } from '../../../protocol/kinds/index.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import { CAPABILITY_VERBS, type CapabilityVerb } from '../../../protocol/rights/capability.ts';
import { displayOf, type Principal, SELF, subjectText, type UserPrincipal } from '../../../protocol/rights/principal.ts';
import type { Asked, Decision, View, Visibility } from './access.types.ts';
import { decideGranting, decideRevoking, isGrantKind } from './delegation.ts';
import { decidingKind, isEvent, reallyAsked } from './derived.ts';
import { aboutInstance, aboutResources, isExecution, isTask } from './executed.ts';
import type { Facts, Grant } from './facts.types.ts';
import { INSTANCES, kindText, modelOf, RESOURCES } from './scope.ts';
import { allows, creatorOf, isPresent } from './standing.ts';
import { heldText } from './verbs.ts';

/** What a right rests on. */
type Ground = { by: 'operator' } | { by: 'creator' } | { by: 'public' } | { by: 'grant'; grant: Grant };

export function decide(principal: Principal, asked: Asked, facts: Facts, now: number): Decision {
  if (principal.type === 'operator') return { allowed: true, because: 'the operator of this node' };
  const user = subjectText(principal);
  if (!isPresent(user, facts)) return { allowed: false, reason: absentReason(principal) };
  if (isGrantKind(asked)) {
    if (asked.verb === 'CREATE') return decideGranting(principal, asked, facts, now);
    if (asked.verb === 'UPDATE') return refusal(principal, asked, 'it can be revoked and granted anew, not changed');
    if (asked.verb === 'DELETE') return decideRevoking(principal, asked, facts, now);
  }
  const ground = groundOf(principal, user, asked.verb, asked, facts, now);
  if (ground !== undefined) return { allowed: true, because: becauseOf(ground, asked) };
  return refusal(
    principal,
    asked,
    isOwn(asked, facts) ? `it has ${heldText(heldVerbs(principal, asked, facts, now))}` : foreignReason(asked),
  );
}

/** All that somebody may do with an object. */
export function heldVerbs(principal: Principal, asked: Omit<Asked, 'verb'>, facts: Facts, now: number): Set<CapabilityVerb> {
  if (principal.type === 'operator') return new Set(CAPABILITY_VERBS);
  const user = subjectText(principal);
  const present = isPresent(user, facts);
  return new Set(
    CAPABILITY_VERBS.filter((verb) => present && groundOf(principal, user, verb, { ...asked, verb }, facts, now) !== undefined),
  );
}

/** How much a user sees of an object. */
function userVisibility(principal: UserPrincipal, user: string, asked: Omit<Asked, 'verb'>, facts: Facts, now: number): Visibility {
  if (!isPresent(user, facts)) return 'hidden';
  if (groundOf(principal, user, 'READ', { ...asked, verb: 'READ' }, facts, now) !== undefined) return 'full';
  return groundOf(principal, user, 'DISCOVER', { ...asked, verb: 'DISCOVER' }, facts, now) === undefined ? 'hidden' : 'name';
}

/** What somebody sees of a kind. A function goes by the facts and the time as they are when it is called; `all` and `none` as they are now. */
export function view(principal: Principal, group: string, plural: string, facts: Facts, now: () => number): View {
  if (principal.type === 'operator') return 'all';
  const user = subjectText(principal);
  if (!isPresent(user, facts)) return 'none';
  // what they are about may be of any kind
  if (isEvent({ group, plural })) return eventView(principal, user, facts, now);
  const deciding = decidingKind(group, plural);
  const kind = kindText(deciding.group, deciding.plural);
  const open = isPublicKind(principal, kindByPlural(group, plural));
  const through = isExecution({ group, plural }) ? [RESOURCES] : isTask({ group, plural }) ? [INSTANCES] : [];
  const kinds = [kind, ...through, '*'];
  const granted = [user, ...facts.trustsOf(user)].some((recipient) => kinds.some((one) => facts.grants(recipient, one) !== undefined));
  if (!open && !granted && !kinds.some((one) => facts.hasCreated(one, user))) return 'none';
  return (object) => userVisibility(principal, user, { group, plural, name: object.metadata.name, object }, facts, now());
}

/** Nothing to those of other nodes who may nothing here. */
function eventView(principal: UserPrincipal, user: string, facts: Facts, now: () => number): View {
  const { group, plural } = eventKind;
  const granted = [user, ...facts.trustsOf(user)].some((recipient) => [...facts.grantsTo(recipient)].length > 0);
  if (principal.home !== SELF && !granted && !KINDS.some((kind) => facts.hasCreated(kindText(kind.group, kind.plural), user)))
    return 'none';
  return (object) => userVisibility(principal, user, { group, plural, name: object.metadata.name, object }, facts, now());
}

function groundOf(
  principal: UserPrincipal,
  user: string,
  verb: CapabilityVerb,
  asked: Asked,
  facts: Facts,
  now: number,
): Ground | undefined {
  const really = reallyAsked({ ...asked, verb });
  if (really !== undefined) {
    const ground = groundOf(principal, user, really.verb, really, facts, now);
    // a grant that names Events is about all of them
    return ground ?? (isEvent(asked) && isOwn(asked, facts) ? grantOfEvents(user, asked, facts, now) : undefined);
  }
  if (verb === 'READ' || verb === 'DISCOVER') {
    if (isPublicKind(principal, kindByPlural(asked.group, asked.plural)) && !isPrivateApp(asked, facts)) return { by: 'public' };
  }
  if (!isOwn(asked, facts)) return undefined;
  // Making an object is no right that follows from having made it.
  if (verb !== 'CREATE' && creatorOf(asked, facts) === user) return { by: 'creator' };
  const grant = grantFor(user, verb, asked, facts, now) ?? grantThroughResources(user, verb, asked, facts, now);
  if (grant !== undefined) return { by: 'grant', grant };
  return isTask(asked) && isAboutWhatRuns(verb) ? groundThroughInstance(user, verb, asked, facts, now) : undefined;
}

function grantOfEvents(user: string, asked: Asked, facts: Facts, now: number): Ground | undefined {
  const grant = grantFor(user, 'READ', { ...asked, verb: 'READ' }, facts, now);
  return grant === undefined ? undefined : { by: 'grant', grant };
}

/** Whoever made an instance of that name since has made nothing of what was done with the one before. */
function groundThroughInstance(user: string, verb: CapabilityVerb, asked: Asked, facts: Facts, now: number): Ground | undefined {
  const instance = aboutInstance(asked);
  if (instance === undefined) return undefined;
  if (instance.creator === user) return { by: 'creator' };
  const grant = grantFor(user, verb, instance.asked, facts, now);
  return grant === undefined ? undefined : { by: 'grant', grant };
}

/** What is done to resources is read by whoever may read each of them, and ended or gone on with by whoever may run commands on each. */
function grantThroughResources(user: string, verb: CapabilityVerb, asked: Asked, facts: Facts, now: number): Grant | undefined {
  if (!isExecution(asked) || !isAboutWhatRuns(verb)) return undefined;
  const grants = aboutResources(asked).map((about) => grantFor(user, verb, about, facts, now));
  return grants.includes(undefined) ? undefined : grants[0];
}

function isAboutWhatRuns(verb: CapabilityVerb): boolean {
  return verb === 'READ' || verb === 'DISCOVER' || verb === 'EXECUTE';
}

function grantFor(user: string, verb: CapabilityVerb, asked: Asked, facts: Facts, now: number): Grant | undefined {
  const kind = kindText(asked.group, asked.plural);
  const own = grantAmong(user, kind, verb, asked, facts, now) ?? grantAmong(user, '*', verb, asked, facts, now);
  if (own !== undefined) return own;
  for (const trust of facts.trustsOf(user)) {
    const found = grantAmong(trust, kind, verb, asked, facts, now) ?? grantAmong(trust, '*', verb, asked, facts, now);
    if (found !== undefined) return found;
  }
  return undefined;
}

function grantAmong(recipient: string, kind: string, verb: CapabilityVerb, asked: Asked, facts: Facts, now: number): Grant | undefined {
  const buckets = facts.grants(recipient, kind);
  if (buckets === undefined) return undefined;
  const allowing = (grant: Grant) => allows(grant, verb, asked, facts, now);
  const found = buckets.byName.get(asked.name)?.find(allowing);
  if (found !== undefined) return found;
  const model = buckets.byModel.size === 0 ? undefined : modelOf(kindText(asked.group, asked.plural), asked.name, asked.object);
  return (model === undefined ? undefined : buckets.byModel.get(model)?.find(allowing)) ?? buckets.rest.find(allowing);
}

/** True for what this node owns, or makes for itself: its grants are about that alone. */
function isOwn({ group, plural, name, object }: Asked, facts: Facts): boolean {
  const kind = kindByPlural(group, plural);
  if (kind?.scope === 'Cluster') return !kind.shared || name === '' || name === facts.node;
  const namespace = object?.metadata.namespace;
  return namespace === undefined || namespace === facts.node;
}

/** What is public among nodes is readable by the users of this one; those of others have their own replicas. */
function isPublicKind({ home }: UserPrincipal, kind: Kind | undefined): boolean {
  return home === SELF && kind?.shared === true;
}

/** True for a dtApp of this node that is shared into no domain. */
function isPrivateApp(asked: Asked, facts: Facts): boolean {
  if (asked.plural !== dtAppKind.plural || asked.group !== dtAppKind.group) return false;
  const { object } = asked;
  if (object === undefined) return true;
  const isCopy = typeof object['owner'] === 'string';
  return isOwn(asked, facts) && !isCopy && (dtAppKind.domainsOf?.(object) ?? []).length === 0;
}

function becauseOf(ground: Ground, asked: Asked): string {
  switch (ground.by) {
    case 'operator':
      return 'the operator of this node';
    case 'creator':
      return `made ${aboutText(asked)}`;
    case 'public':
      return `${asked.plural} are public among the nodes of a domain`;
    case 'grant':
      return grantText(ground.grant);
  }
}

/** `capability c-x1y2z, passed on by dev@node1`. */
function grantText({ source, name, toTrust, shown, grantorShown }: Grant): string {
  const by = grantorShown === undefined ? '' : `, granted by ${grantorShown}`;
  if (source === 'share') return `share ${name} into ${shown}${by}`;
  return `capability ${name}${toTrust ? ` to trust ${shown}` : ''}${by}`;
}

function refusal(principal: Principal, asked: Asked, why: string): Decision {
  return { allowed: false, reason: `${displayOf(principal)} may not ${asked.verb} ${aboutText(asked)}: ${why}` };
}

function aboutText({ plural, name }: Asked): string {
  return name === '' ? plural : `${plural} "${name}"`;
}

function foreignReason({ object }: Asked): string {
  return `it belongs to node "${object?.metadata.namespace ?? object?.metadata.name ?? ''}", which alone decides about it`;
}

function absentReason(principal: UserPrincipal): string {
  return principal.home === SELF
    ? `user ${principal.display} has been deleted`
    : `${principal.display} is a user of a node that is no member of a domain of this node, or is suspended`;
}
