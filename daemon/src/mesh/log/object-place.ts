/**
 * Where an author's object stands in a store, and under which key in its log. Pure. An object of a namespaced kind keeps its name, in the
 * author's namespace. Of a cluster-scoped kind an author has exactly one object, with the author's own name: the log calls it `self`, and
 * each replica shows it under the name by which it knows the author.
 */
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ObjectMeta, ObjectRef } from '../../../../protocol/objects/objects.ts';

/** Name, in its author's log, of an author's one object of a cluster-scoped kind. */
export const SELF_NAME = 'self';

export interface ObjectKey {
  group: string;
  plural: string;
  name: string;
}

export function keyText({ group, plural, name }: ObjectKey): string {
  return `${group}/${plural}/${name}`;
}

/** The place in the store of the object that an author, known here as `author`, has under this key. */
export function refOfKey({ group, plural, name }: ObjectKey, author: string): ObjectRef {
  return isCluster(group, plural) ? { group, plural, namespace: '', name: author } : { group, plural, namespace: author, name };
}

/** Name and namespace of the object at that place, with whatever else stands in its metadata. */
export function metadataAt(ref: ObjectRef, { name: _name, namespace: _namespace, ...stamps }: ObjectMeta): ObjectMeta {
  return { name: ref.name, ...(ref.namespace === '' ? {} : { namespace: ref.namespace }), ...stamps };
}

/** The key in the log of an object of this node, which is called `self`; undefined for an object that no log takes. */
export function keyOfOwn(ref: ObjectRef, self: string): string | undefined {
  if (!isCluster(ref.group, ref.plural)) return keyText(ref);
  return ref.name === self ? keyText({ ...ref, name: SELF_NAME }) : undefined;
}

/** The name of an own object in the log. */
export function publishedName(kind: Pick<Kind, 'scope'>, name: string): string {
  return kind.scope === 'Cluster' ? SELF_NAME : name;
}

function isCluster(group: string, plural: string): boolean {
  return kindByPlural(group, plural)?.scope === 'Cluster';
}
