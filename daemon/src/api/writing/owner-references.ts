/**
 * Decides which owner references may be written and by whom, and notes who wrote them. An object is deleted when its owners are
 * gone, so whoever binds it to others needs DELETE on it; the collector later deletes it on their behalf.
 */

import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { haveSameOwners, isSameOwner, type OwnerReference, ownerPlace, ownersBeyond, ownersOf } from '../../../../protocol/kinds/owners.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import { OWNERS_ANNOTATION, type Principal, principalText } from '../../../../protocol/rights/principal.ts';
import type { Origin } from '../../store/object-store.types.ts';
import { permit, refusal } from '../deciding/deciding.ts';
import { invalid } from '../request/causes.ts';
import { type Api, type ApiContext, type Target, warn } from '../request/request.ts';
import type { Cause } from '../request/status.ts';
import { annotated } from './document.ts';

/** The store, or a transaction of it. */
export interface OwnerReader {
  get(ref: ObjectRef): Promise<ApiObject | undefined>;
  originOf(ref: ObjectRef): Promise<Origin | undefined>;
}

/** The object with a note of who set its owners, if they have changed. */
export function withWordOf(principal: Principal, stored: ApiObject | undefined, changed: ApiObject): ApiObject {
  if (stored === undefined ? ownersOf(changed).length === 0 : haveSameOwners(stored, changed)) return changed;
  return annotated(changed, OWNERS_ANNOTATION, ownersOf(changed).length === 0 ? undefined : principalText(principal));
}

/**
 * Decides a change of owner references. Errors: INVALID naming the field; FORBIDDEN without DELETE on the object, or without UPDATE
 * on an owner whose deletion it would block.
 */
export async function permitOwners(
  api: Api,
  c: ApiContext,
  reader: OwnerReader,
  target: Target,
  stored: ApiObject | undefined,
  changed: ApiObject,
): Promise<void> {
  const owners = ownersOf(changed);
  const before = stored === undefined ? [] : ownersOf(stored);
  if (owners.length === 0) return;
  assertSound(target.kind, changed);
  warnIfNeverDeleted(c, target.kind, changed);
  // a creator has every right on the new object; removing an owner needs DELETE too, as it may hasten the object's end
  if (stored !== undefined && !haveSameOwners(stored, changed)) permit(api, c, 'DELETE', target, stored);
  for (const reference of ownersBeyond(owners, before)) await assertOwner(api, c, reader, target, reference, owners.indexOf(reference));
  for (const reference of owners.filter((one) => blocksAnew(one, before))) await permitBlocking(api, c, reader, reference);
}

function blocksAnew(reference: OwnerReference, before: readonly OwnerReference[]): boolean {
  return reference.blockOwnerDeletion === true && before.find((one) => isSameOwner(one, reference))?.blockOwnerDeletion !== true;
}

/** Checks what can be judged from the references alone. */
function assertSound(kind: Kind, changed: ApiObject): void {
  const owners = ownersOf(changed);
  const causes: Cause[] = [];
  if (owners.filter(({ controller }) => controller === true).length > 1) {
    causes.push({ reason: 'FieldValueInvalid', message: 'only one owner can be the controller', field: 'metadata.ownerReferences' });
  }
  for (const [index, { uid, kind: name, apiVersion }] of owners.entries()) {
    const field = `metadata.ownerReferences[${index}]`;
    for (const [key, value] of Object.entries({ uid, kind: name, apiVersion })) {
      if (value === '') causes.push({ reason: 'FieldValueRequired', message: 'must not be empty', field: `${field}.${key}` });
    }
    if (uid !== '' && uid === changed.metadata.uid) {
      causes.push({ reason: 'FieldValueInvalid', message: 'an object cannot own itself', field: `${field}.uid` });
    }
  }
  if (causes.length > 0) throw invalid(kind, changed.metadata.name, causes);
}

/** Checks that an owner belongs to this node and is of a kind that can own the object. */
async function assertOwner(
  api: Api,
  c: ApiContext,
  reader: OwnerReader,
  { kind, name }: Target,
  reference: OwnerReference,
  index: number,
): Promise<void> {
  const place = ownerPlace(reference, api.node.name);
  if (place === undefined) {
    warn(
      c,
      `owner reference ${index} names a ${reference.kind} of ${reference.apiVersion}, a kind that cannot own anything here: it has no effect`,
    );
    return;
  }
  const field = `metadata.ownerReferences[${index}]`;
  if (kind.scope === 'Cluster' && place.kind.scope === 'Namespaced') {
    throw invalid(kind, name, [
      { reason: 'FieldValueInvalid', message: `a ${kind.kind} cannot be owned by an object in a namespace`, field },
    ]);
  }
  const origin = await reader.originOf(place.ref);
  if (origin === undefined || origin === 'own') return;
  const owner = await reader.get(place.ref);
  if (owner?.metadata.uid !== reference.uid) return;
  throw invalid(kind, name, [
    {
      reason: 'FieldValueInvalid',
      message: `must name an object of this node: ${reference.kind} "${reference.name}" belongs to another node`,
      field,
    },
  ]);
}

/** Whoever may not change an object must not block its deletion. */
async function permitBlocking(api: Api, c: ApiContext, reader: OwnerReader, reference: OwnerReference): Promise<void> {
  const principal = c.get('principal');
  const place = ownerPlace(reference, api.node.name);
  if (principal.type === 'operator' || place === undefined) return;
  const { group, plural, name } = place.ref;
  const object = await reader.get(place.ref);
  const decision = api.access.decide(principal, { verb: 'UPDATE', group, plural, name, ...(object === undefined ? {} : { object }) });
  if (decision.allowed) return;
  // the same answer whether the object exists or not
  throw refusal(api, c, 'UPDATE', { kind: place.kind, name }, `blockOwnerDeletion needs UPDATE on ${plural} "${name}"`);
}

function warnIfNeverDeleted(c: ApiContext, kind: Kind, changed: ApiObject): void {
  if (ownersOf(changed).length > 0 && !kind.verbs.includes('delete'))
    warn(c, `a ${kind.kind} cannot be deleted, so its owner references have no effect`);
}
