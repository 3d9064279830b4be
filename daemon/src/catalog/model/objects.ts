/** The objects of the model as this part reads them: which kind a change is about, and its spec, parsed. */
import { scopedTypeName } from '../../../../protocol/definitions/type-rules.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { type ResourceSpec, resourceSpec } from '../../../../protocol/kinds/resource.ts';
import { type TypeSpec, typeSpec } from '../../../../protocol/kinds/type.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Transaction } from '../../store/object-store.types.ts';

export const PLURALS = ['models', 'types', 'resources'] as const;
export type Plural = (typeof PLURALS)[number];

/** The name that stands in rules for machines, which have no Type. */
export const NODE_TYPE = 'Node';
/** How a parent that is a machine is written. */
export const NODE_PARENT = 'node/';

/** What judging reads with: a transaction, or what is durable. */
export type Reads = Pick<Transaction, 'get' | 'find' | 'getRow'>;

export function refIn(namespace: string, plural: Plural, name: string): ObjectRef {
  return { group: DTKD_GROUP, plural, namespace, name };
}

export function nodeRef(name: string): ObjectRef {
  return { group: DTKD_GROUP, plural: 'nodes', namespace: '', name };
}

export function pluralOf(ref: ObjectRef): Plural | undefined {
  return ref.group === DTKD_GROUP ? PLURALS.find((plural) => plural === ref.plural) : undefined;
}

/** Names of types are compared by this. */
export function typeKey(name: string): string {
  return name.toLowerCase();
}

/** A type's name as people write it; undefined if the object's own name cannot be one and the spec has none. */
export function typeNameOf(object: ApiObject): string | undefined {
  const name = scopedTypeName.safeParse(Reflect.get(Object(object['spec']), 'name') ?? object.metadata.name);
  return name.success ? name.data : undefined;
}

/** The spec of a stored Type; undefined if it does not fit its schema. */
export function typeSpecOf(object: ApiObject): TypeSpec | undefined {
  return typeSpec.safeParse(object['spec'] ?? {}).data;
}

/** The spec of a stored Resource; undefined if it does not fit its schema. */
export function resourceSpecOf(object: ApiObject): ResourceSpec | undefined {
  return resourceSpec.safeParse(object['spec']).data;
}

/** A resource's name within its model and type. */
export function resourceNameOf(object: ApiObject, spec: ResourceSpec): string {
  return spec.name ?? object.metadata.name;
}

/** The parents that are resources, each once. */
export function resourceParents(spec: ResourceSpec): string[] {
  return [...new Set(spec.parents ?? [])].filter((parent) => !parent.startsWith(NODE_PARENT));
}

/** The machines that it is deployed to, each once. */
export function nodeParents(spec: ResourceSpec): string[] {
  return [...new Set(spec.parents ?? [])]
    .filter((parent) => parent.startsWith(NODE_PARENT))
    .map((parent) => parent.slice(NODE_PARENT.length));
}
