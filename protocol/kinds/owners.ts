/** Owner references: who else an object lives and ends with. Pure. */
import type { ApiObject, ObjectMeta, ObjectRef } from '../objects/objects.ts';
import { kindOf } from './index.ts';
import type { Kind } from './kind.ts';

export type OwnerReference = NonNullable<ObjectMeta['ownerReferences']>[number];

export function ownersOf({ metadata }: Pick<ApiObject, 'metadata'>): readonly OwnerReference[] {
  return metadata.ownerReferences ?? [];
}

/** True if two references name the same owner; how they want it to be treated may differ. */
export function isSameOwner(a: OwnerReference, b: OwnerReference): boolean {
  return a.uid === b.uid && a.name === b.name && a.kind === b.kind && a.apiVersion === b.apiVersion;
}

/** References of one list that name nobody in the other. */
export function ownersBeyond(list: readonly OwnerReference[], known: readonly OwnerReference[]): OwnerReference[] {
  return list.filter((one) => !known.some((other) => isSameOwner(one, other)));
}

/** True if both name the same owners: the object ends with the same ones. */
export function haveSameOwners(a: Pick<ApiObject, 'metadata'>, b: Pick<ApiObject, 'metadata'>): boolean {
  return ownersBeyond(ownersOf(a), ownersOf(b)).length === 0 && ownersBeyond(ownersOf(b), ownersOf(a)).length === 0;
}

/** Where the owner is that a reference of an object of `node` names; undefined: its kind is not known here, or its objects only follow from others. */
export function ownerPlace(reference: OwnerReference, node: string): { kind: Kind; ref: ObjectRef } | undefined {
  const kind = kindOf(reference);
  if (kind === undefined || kind.derived !== undefined) return undefined;
  const { group, plural, scope } = kind;
  return { kind, ref: { group, plural, namespace: scope === 'Cluster' ? '' : node, name: reference.name } };
}
