/** What has to be done with each resource, to make what is applied be what is wanted: pure. */
import { typeKey } from '../../../model/objects.ts';
import type { AppliedResource, DesiredResource } from '../../instances.types.ts';
import type { Acts, Applied } from './plan.types.ts';

/** One that is on another node or of another type than before is taken down first, and is then new. */
export function actsOf(desired: ReadonlyMap<string, DesiredResource>, applied: Applied): Acts {
  const acts: Acts = new Map();
  for (const [name, resource] of desired) {
    const row = applied.get(name);
    if (row === undefined || isAnother(row, resource)) acts.set(name, 'create');
    // what was found to be no more as it should be is made so again
    else if (row.digest !== resource.digest || row.check?.ok === false) acts.set(name, row.created ? 'converge' : 'create');
  }
  for (const name of applied.keys()) if (!desired.has(name)) acts.set(name, 'delete');
  return acts;
}

/** True if what is applied under a name has to go before what is wanted under it can come. */
export function isAnother(row: AppliedResource, resource: DesiredResource): boolean {
  return row.node !== resource.node || typeKey(row.type) !== typeKey(resource.type);
}
