/**
 * The one function that decides every request, local or remote. Pure. The operator may do everything. A user may do everything with what it
 * made, and otherwise what it was granted or what was shared into a trust that it belongs to; users of this node may also read kinds that
 * are public among nodes. Only this node's own grants count, and only for its own objects.
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

/** The ground of a right. */
type Ground = { by: 'operator' } | { by: 'creator' } | { by: 'public' } | { by: 'grant'; grant: Grant };

export function decide(principal: Principal, asked: Asked, facts: Facts, now: number): Decision {
  if (principal.type === 'operator') return { allowed: true, because: 'the operator of this node' };
  const user = subjectText(principal);
  if (!isPresent(user, facts)) return { allowed: false, reason: absentReason(principal) };
  if (isGrantKind(asked)) {
    if (asked.verb === 'CREATE') return decideGranting(principal, asked, facts, now);
    if (asked.verb === 'UPDATE') return refusal(principal, asked, 'it can be revoked and granted again, but not changed');
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

/** All verbs that a principal may use on an object. */
export function heldVerbs(principal: Principal, asked: Omit<Asked, 'verb'>, facts: Facts, now: number): Set<CapabilityVerb> {
  if (principal.type === 'operator') return new Set(CAPABILITY_VERBS);
  const user = subjectText(principal);
  const present = isPresent(user, facts);
  return new Set(
    CAPABILITY_VERBS.filter((verb) => present && groundOf(principal, user, verb, { ...asked, verb }, facts, now) !== undefined),
  );
}

/** How much of an object a user sees. */
function userVisibility(principal: UserPrincipal, user: string, asked: Omit<Asked, 'verb'>, facts: Facts, now: number): Visibility {
  if (!isPresent(user, facts)) return 'hidden';
  if (groundOf(principal, user, 'READ', { ...asked, verb: 'READ' }, facts, now) !== undefined) return 'full';
  return groundOf(principal, user, 'DISCOVER', { ...asked, verb: 'DISCOVER' }, facts, now) === undefined ? 'hidden' : 'name';
}

/**
 * What a principal sees of a kind. A returned function uses the facts and the time of each call; `all` and `none` hold for the present
 * only.
 */
export function view(principal: Principal, group: string, plural: string, facts: Facts, now: () => number): View {
  if (principal.type === 'operator') return 'all';
  const user = subjectText(principal);
  if (!isPresent(user, facts)) return 'none';
  // Events may be about objects of any kind
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

/** Hides all Events from users of other nodes who have no rights here. */
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
    // a grant that names Events applies to all of them
    return ground ?? (isEvent(asked) && isOwn(asked, facts) ? grantOfEvents(user, asked, facts, now) : undefined);
  }
  if (verb === 'READ' || verb === 'DISCOVER') {
    if (isPublicKind(principal, kindByPlural(asked.group, asked.plural)) && !isPrivateApp(asked, facts)) return { by: 'public' };
  }
  if (!isOwn(asked, facts)) return undefined;
  // having made an object gives no right to create it
  if (verb !== 'CREATE' && creatorOf(asked, facts) === user) return { by: 'creator' };
  const grant = grantFor(user, verb, asked, facts, now) ?? grantThroughResources(user, verb, asked, facts, now);
  if (grant !== undefined) return { by: 'grant', grant };
  return isTask(asked) && isAboutWhatRuns(verb) ? groundThroughInstance(user, verb, asked, facts, now) : undefined;
}

function grantOfEvents(user: string, asked: Asked, facts: Facts, now: number): Ground | undefined {
  const grant = grantFor(user, 'READ', { ...asked, verb: 'READ' }, facts, now);
  return grant === undefined ? undefined : { by: 'grant', grant };
}

/** Goes by the creator noted in the task: whoever made an instance of the same name later has no right to the tasks of the former one. */
function groundThroughInstance(user: string, verb: CapabilityVerb, asked: Asked, facts: Facts, now: number): Ground | undefined {
  const instance = aboutInstance(asked);
  if (instance === undefined) return undefined;
  if (instance.creator === user) return { by: 'creator' };
  const grant = grantFor(user, verb, instance.asked, facts, now);
  return grant === undefined ? undefined : { by: 'grant', grant };
}

/** An Execution may be read by users who may read each of its resources, and ended or continued by those who may run commands on each. */
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

/** True for objects that this node owns or is about to make: its grants apply only to these. */
function isOwn({ group, plural, name, object }: Asked, facts: Facts): boolean {
  const kind = kindByPlural(group, plural);
  if (kind?.scope === 'Cluster') return !kind.shared || name === '' || name === facts.node;
  const namespace = object?.metadata.namespace;
  return namespace === undefined || namespace === facts.node;
}

/** Users of this node may read kinds that are public among nodes; users of others read their own node's replicas. */
function isPublicKind({ home }: UserPrincipal, kind: Kind | undefined): boolean {
  return home === SELF && kind?.shared === true;
}

/** True for a dtApp of this node that is not shared into any domain. */
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

/** `capability c-x1y2z, granted by dev@node1`. */
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
    : `${principal.display} is a user of a node that is not a member of a domain of this node, or is suspended`;
}
