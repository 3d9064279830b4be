/**
 * Where an author's object is in the store, and its key in the log. Pure. An object of a namespaced kind keeps its name, in the author's
 * namespace. Of a cluster-scoped kind an author has exactly one object, with the author's own name: the log calls it `self`, and each
 * replica shows it under the name by which it knows the author.
 */
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ObjectMeta, ObjectRef } from '../../../../protocol/objects/objects.ts';

/** The name, in the author's log, of its one object of a cluster-scoped kind. */
export const SELF_NAME = 'self';

export interface ObjectKey {
  group: string;
  plural: string;
  name: string;
}

export function keyText({ group, plural, name }: ObjectKey): string {
  return `${group}/${plural}/${name}`;
}

/** Where the store has the object with this key of the author that is called `author` here. */
export function refOfKey({ group, plural, name }: ObjectKey, author: string): ObjectRef {
  return isCluster(group, plural) ? { group, plural, namespace: '', name: author } : { group, plural, namespace: author, name };
}

/** Metadata with the name and namespace of that place; all other fields are kept. */
export function metadataAt(ref: ObjectRef, { name: _name, namespace: _namespace, ...stamps }: ObjectMeta): ObjectMeta {
  return { name: ref.name, ...(ref.namespace === '' ? {} : { namespace: ref.namespace }), ...stamps };
}

/** The log key of an own object; `self` is this node's name. Undefined for an object that no log takes. */
export function keyOfOwn(ref: ObjectRef, self: string): string | undefined {
  if (!isCluster(ref.group, ref.plural)) return keyText(ref);
  return ref.name === self ? keyText({ ...ref, name: SELF_NAME }) : undefined;
}

/** The name that an own object has in the log. */
export function publishedName(kind: Pick<Kind, 'scope'>, name: string): string {
  return kind.scope === 'Cluster' ? SELF_NAME : name;
}

function isCluster(group: string, plural: string): boolean {
  return kindByPlural(group, plural)?.scope === 'Cluster';
}
