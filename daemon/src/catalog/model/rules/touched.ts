/** What a transaction amounts to. Pure. The model is judged by the state afterwards, in whatever order things were written. */
import type { ApiObject, ObjectRef } from '../../../../../protocol/objects/objects.ts';
import type { Change } from '../../../store/object-store.types.ts';
import { type Plural, pluralOf } from '../objects.ts';

/** An object of the model that a transaction writes: before and after. */
export interface Touched {
  ref: ObjectRef;
  plural: Plural;
  before?: ApiObject;
  after?: ApiObject;
}

/** The objects of this node's model that the changes affect, each once. */
export function touchedBy(changes: readonly Change[], node: string): Touched[] {
  const touched = new Map<string, Touched>();
  for (const change of changes) {
    const plural = pluralOf(change.ref);
    if (plural === undefined || change.ref.namespace !== node || change.origin === 'replica') continue;
    const key = `${plural}/${change.ref.name}`;
    const known = touched.get(key);
    const before = known === undefined ? change.previous : known.before;
    touched.set(key, {
      ref: change.ref,
      plural,
      ...(before === undefined ? {} : { before }),
      ...(change.type === 'DELETED' ? {} : { after: change.object }),
    });
  }
  return [...touched.values()];
}
