/**
 * Decides changes that may move an object out of some grants and into others, so that nobody can move an object into a grant of their own.
 * The same rule for requests and imports. Pure, except for the decisions that it asks for.
 */
import { isRecord, jsonEqual } from '../../../protocol/encoding/json.ts';
import { changesSupertype } from '../../../protocol/kinds/type.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { CAPABILITY_VERBS, type CapabilityVerb } from '../../../protocol/rights/capability.ts';
import { displayOf, type Principal } from '../../../protocol/rights/principal.ts';
import type { Asked } from './access.types.ts';

/** `all`: the missing right is one on all objects of the kind. */
export type MoveDecision = { allowed: true } | { allowed: false; reason: string; all: boolean };

/** True if a change affects fields that grants select by. */
function movesScope(before: ApiObject, after: ApiObject): boolean {
  const spec = (object: ApiObject): Record<string, unknown> => (isRecord(object['spec']) ? object['spec'] : {});
  const [old, fresh] = [spec(before), spec(after)];
  if (!jsonEqual(before.metadata.labels ?? {}, after.metadata.labels ?? {})) return true;
  return ['model', 'type', 'parents'].some((field) => !jsonEqual(old[field] ?? null, fresh[field] ?? null));
}

/**
 * To change labels, model, type or parents takes MANAGE on the object, or the same rights on it before and after. To change a type's
 * supertype takes MANAGE on all types, since that affects all of their resources.
 */
export function decideMove(
  access: { decide(principal: Principal, asked: Asked): { allowed: true } | { allowed: false; reason: string } },
  principal: Principal,
  about: { group: string; plural: string; name: string },
  before: ApiObject,
  after: ApiObject,
): MoveDecision {
  if (principal.type === 'operator') return { allowed: true };
  if (changesSupertype(before, after)) {
    const types = access.decide(principal, { ...about, verb: 'MANAGE', name: '' });
    if (!types.allowed) return { allowed: false, reason: types.reason, all: true };
  }
  const may = (verb: CapabilityVerb, object: ApiObject) => access.decide(principal, { ...about, verb, object }).allowed;
  if (!movesScope(before, after) || may('MANAGE', before)) return { allowed: true };
  const rights = (object: ApiObject) => CAPABILITY_VERBS.filter((verb) => may(verb, object)).join();
  if (rights(before) === rights(after)) return { allowed: true };
  const reason = `changing labels, model, type or parents of ${about.plural} "${about.name}" would change what ${displayOf(principal)} may do with it`;
  return { allowed: false, reason, all: false };
}
