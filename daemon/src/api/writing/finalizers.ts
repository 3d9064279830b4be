/** Decides which finalizers may be written. Pure. */

import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { isFinalizerName } from '../../../../protocol/objects/finalizers.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { invalid } from '../request/causes.ts';

/**
 * Checks the added finalizers: each must say whose it is, and none may be added to an object that is being deleted. Errors: INVALID
 * naming the field.
 */
export function assertFinalizers(kind: Kind, stored: ApiObject | undefined, changed: ApiObject): void {
  const added = (changed.metadata.finalizers ?? []).filter((finalizer) => stored?.metadata.finalizers?.includes(finalizer) !== true);
  if (added.length === 0) return;
  const field = 'metadata.finalizers';
  if (stored?.metadata.deletionTimestamp !== undefined) {
    throw invalid(kind, changed.metadata.name, [
      { reason: 'FieldValueForbidden', message: 'no finalizer can be added while the object is being deleted', field },
    ]);
  }
  const bare = added.filter((finalizer) => !isFinalizerName(finalizer));
  if (bare.length === 0) return;
  throw invalid(
    kind,
    changed.metadata.name,
    bare.map((finalizer) => ({
      reason: 'FieldValueInvalid',
      message: `"${finalizer}" must begin with the domain of its owner, e.g. example.com/${finalizer}`,
      field,
    })),
  );
}
