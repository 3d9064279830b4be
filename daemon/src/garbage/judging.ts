/** Decides what becomes of an object from the states of its owners, as in Kubernetes. Pure. */
import type { OwnerReference } from '../../../protocol/kinds/owners.ts';
import { FOREGROUND_FINALIZER } from '../../../protocol/objects/finalizers.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';

/**
 * there: it exists, or that cannot be known (its kind is unknown to this node). leaving: it waits for its dependents. gone: no object with
 * that uid is where the reference points.
 */
export type OwnerState = 'there' | 'leaving' | 'gone';

export type Verdict =
  | { act: 'keep' }
  /** It has other owners, so these references are to be removed. */
  | { act: 'release'; from: readonly OwnerReference[] }
  /** All its owners are gone or leaving. */
  | { act: 'delete'; leaving: boolean };

/** The state of an owner, from the object found at its place. */
export function stateOfOwner(reference: OwnerReference, found: ApiObject | undefined): OwnerState {
  if (found === undefined || found.metadata.uid !== reference.uid) return 'gone';
  return isLeavingLast(found) ? 'leaving' : 'there';
}

/** True for an object in foreground deletion, which is deleted after its dependents. */
export function isLeavingLast({ metadata }: ApiObject): boolean {
  return metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(FOREGROUND_FINALIZER) === true;
}

export function verdictOn(owners: readonly { reference: OwnerReference; state: OwnerState }[]): Verdict {
  const lost = owners.filter(({ state }) => state !== 'there');
  if (lost.length === 0) return { act: 'keep' };
  if (lost.length < owners.length) return { act: 'release', from: lost.map(({ reference }) => reference) };
  return { act: 'delete', leaving: lost.some(({ state }) => state === 'leaving') };
}

/** The object without some of its owner references. */
export function released(object: ApiObject, isFrom: (reference: OwnerReference) => boolean): ApiObject {
  const { ownerReferences = [], ...metadata } = object.metadata;
  const left = ownerReferences.filter((reference) => !isFrom(reference));
  return { ...object, metadata: { ...metadata, ...(left.length === 0 ? {} : { ownerReferences: left }) } };
}

/** The object without blockOwnerDeletion on any owner. */
export function unblocking(object: ApiObject): ApiObject {
  const ownerReferences = (object.metadata.ownerReferences ?? []).map((reference) =>
    reference.blockOwnerDeletion === true ? { ...reference, blockOwnerDeletion: false } : reference,
  );
  return { ...object, metadata: { ...object.metadata, ownerReferences } };
}
