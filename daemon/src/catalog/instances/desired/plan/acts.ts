/** Decides what has to be done with each resource to turn what is applied into what is wanted. Pure. */
import { typeKey } from '../../../model/objects.ts';
import type { AppliedResource, DesiredResource } from '../../instances.types.ts';
import type { Acts, Applied } from './plan.types.ts';

/** A resource that moved to another node or changed its type is taken down first and then counts as new. */
export function actsOf(desired: ReadonlyMap<string, DesiredResource>, applied: Applied): Acts {
  const acts: Acts = new Map();
  for (const [name, resource] of desired) {
    const row = applied.get(name);
    if (row === undefined || isAnother(row, resource)) acts.set(name, 'create');
    // a resource that drifted, too
    else if (row.digest !== resource.digest || row.check?.ok === false) acts.set(name, row.created ? 'converge' : 'create');
  }
  for (const name of applied.keys()) if (!desired.has(name)) acts.set(name, 'delete');
  return acts;
}

/** True if the resource applied under a name must be taken down before the wanted one can come up. */
export function isAnother(row: AppliedResource, resource: DesiredResource): boolean {
  return row.node !== resource.node || typeKey(row.type) !== typeKey(resource.type);
}
