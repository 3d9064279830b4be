/**
 * Decides requests: each object separately, in its stored state at the time of the decision. A caller that may not even DISCOVER an
 * object is told that it does not exist.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { Decision } from '../../access/access.types.ts';
import { decideMove } from '../../access/moves.ts';
import { onward, type Soon } from '../flow/soon.ts';
import { noteDecision } from '../request/audit-note.ts';
import { type Api, type ApiContext, refOfTarget, type Target } from '../request/request.ts';
import { askFor } from '../views/refusals.ts';
import { isRemote, redacted } from '../views/visibility.ts';

const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Notes the verb and the target of a request for the audit log. */
export function begin(
  c: ApiContext,
  verb: string,
  target: { kind: { group: string; plural: string }; namespace: string; name: string },
): void {
  const { kind, namespace, name } = target;
  const change = verb !== 'get' && verb !== 'list' && verb !== 'watch' && !verb.startsWith('GET ');
  c.set('note', { verb, what: `${kind.group}/${kind.plural}/${namespace}/${name.slice(0, 253)}`, change });
}

export function notFound({ kind, namespace, name }: Target): DtkdError {
  const where = namespace === '' ? '' : ` in namespace "${namespace}"`;
  return new DtkdError('NOT_FOUND', `${kind.plural} "${name.slice(0, 253)}" not found${where}`);
}

/**
 * The object that a target names, regardless of the caller's rights; NOT_FOUND if there is none. Users of other nodes find only
 * what this node owns.
 */
export async function mustGet(api: Api, c: ApiContext, target: Target): Promise<ApiObject> {
  const ref = refOfTarget(target);
  const object = OBJECT_NAME.test(target.name) ? await api.store.get(ref) : undefined;
  if (object === undefined) throw notFound(target);
  if (isRemote(c.get('principal')) && (await api.store.originOf(ref)) !== 'own') throw notFound(target);
  return object;
}

/** Like `mustGet`, but returns the stored JSON, immediately if it is in memory. For callers of this node only. */
export function mustGetRaw(api: Api, target: Target): Soon<Uint8Array<ArrayBuffer>> {
  const json = OBJECT_NAME.test(target.name) ? api.store.getRaw(refOfTarget(target)) : undefined;
  return onward(json, (found) => {
    if (found === undefined) throw notFound(target);
    return found;
  });
}

function decide(api: Api, c: ApiContext, verb: CapabilityVerb, { kind, name }: Pick<Target, 'kind' | 'name'>, object: ApiObject): Decision {
  return api.access.decide(c.get('principal'), { verb, group: kind.group, plural: kind.plural, name, object });
}

/** The object as the caller may see it; NOT_FOUND if it may not. */
export function seen(api: Api, c: ApiContext, target: Target, object: ApiObject): ApiObject {
  const full = decide(api, c, 'READ', target, object);
  noteDecision(c.get('note'), full);
  if (full.allowed) return object;
  const name = decide(api, c, 'DISCOVER', target, object);
  if (!name.allowed) throw hide(c, target);
  noteDecision(c.get('note'), name);
  return redacted(object);
}

/** What a caller who may write an object gets to see of it: everything, or its name. */
export function shownAfter(api: Api, c: ApiContext, target: Target, object: ApiObject): ApiObject {
  return decide(api, c, 'READ', target, object).allowed ? object : redacted(object);
}

/** Refuses what the caller may not do with an object. */
export function permit(api: Api, c: ApiContext, verb: CapabilityVerb, target: Target, object: ApiObject): void {
  const decision = decide(api, c, verb, target, object);
  noteDecision(c.get('note'), decision);
  if (decision.allowed) return;
  if (verb !== 'CREATE' && !decide(api, c, 'DISCOVER', target, object).allowed) throw hide(c, target);
  const { kind, name } = target;
  // a shared cluster-scoped object has the name of the node that it belongs to, and no grant made here applies on that node
  const owner = kind.scope === 'Cluster' && kind.shared ? name : api.node.name;
  if (owner !== api.node.name) throw new DtkdError('FORBIDDEN', decision.reason, { next: `It can be changed on ${owner}.` });
  throw refusal(api, c, verb, target, decision.reason);
}

/** True if the caller may know that the object exists. */
export function mayKnowOf(api: Api, c: ApiContext, { group, plural, name }: ObjectRef, object: ApiObject): boolean {
  const principal = c.get('principal');
  return (['READ', 'DISCOVER'] as const).some((verb) => api.access.decide(principal, { verb, group, plural, name, object }).allowed);
}

/** True if the caller may do this with the object. */
export function may(api: Api, c: ApiContext, verb: CapabilityVerb, target: Target, object: ApiObject): boolean {
  return decide(api, c, verb, target, object).allowed;
}

export function refusal(
  api: Api,
  c: ApiContext,
  verb: CapabilityVerb,
  { kind, name }: { kind: { group: string; plural: string }; name: string },
  reason: string,
): DtkdError {
  return new DtkdError('FORBIDDEN', reason, {
    next: askFor(api.node.name, c.get('principal'), verb, { group: kind.group, plural: kind.plural, name }),
  });
}

/** The answer to a caller who may not know of the object: it does not exist. */
function hide(c: ApiContext, target: Target): DtkdError {
  c.get('note').hidden = true;
  return notFound(target);
}

/** Decides a change to the stored object: UPDATE, and whether the change may move the object out of some grants and into others. */
export function permitChange(api: Api, c: ApiContext, target: Target, stored: ApiObject, changed: ApiObject): void {
  permit(api, c, 'UPDATE', target, stored);
  const { kind, name } = target;
  const move = decideMove(api.access, c.get('principal'), { group: kind.group, plural: kind.plural, name }, stored, changed);
  if (move.allowed) return;
  c.get('note').because = move.reason;
  throw refusal(api, c, 'MANAGE', move.all ? { kind, name: '' } : target, move.reason);
}
