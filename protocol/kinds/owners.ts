/** Owner references: which objects an object depends on and is deleted with. Pure. */
import type { ApiObject, ObjectMeta, ObjectRef } from '../objects/objects.ts';
import { kindOf } from './index.ts';
import type { Kind } from './kind.ts';

export type OwnerReference = NonNullable<ObjectMeta['ownerReferences']>[number];

export function ownersOf({ metadata }: Pick<ApiObject, 'metadata'>): readonly OwnerReference[] {
  return metadata.ownerReferences ?? [];
}

/** True if two references name the same owner. Their flags may differ. */
export function isSameOwner(a: OwnerReference, b: OwnerReference): boolean {
  return a.uid === b.uid && a.name === b.name && a.kind === b.kind && a.apiVersion === b.apiVersion;
}

/** Returns the references in one list that name no owner in the other. */
export function ownersBeyond(list: readonly OwnerReference[], known: readonly OwnerReference[]): OwnerReference[] {
  return list.filter((one) => !known.some((other) => isSameOwner(one, other)));
}

/** True if both objects have the same owners. */
export function haveSameOwners(a: Pick<ApiObject, 'metadata'>, b: Pick<ApiObject, 'metadata'>): boolean {
  return ownersBeyond(ownersOf(a), ownersOf(b)).length === 0 && ownersBeyond(ownersOf(b), ownersOf(a)).length === 0;
}

/** Returns the location of the owner that a reference on an object of `node` names; undefined if its kind is unknown or derived. */
export function ownerPlace(reference: OwnerReference, node: string): { kind: Kind; ref: ObjectRef } | undefined {
  const kind = kindOf(reference);
  if (kind === undefined || kind.derived !== undefined) return undefined;
  const { group, plural, scope } = kind;
  return { kind, ref: { group, plural, namespace: scope === 'Cluster' ? '' : node, name: reference.name } };
}
