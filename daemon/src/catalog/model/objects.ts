/** The model's objects as this part reads them: the kind of a reference, and parsed specs. */
import { scopedTypeName } from '../../../../protocol/definitions/type-rules.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { type ResourceSpec, resourceSpec } from '../../../../protocol/kinds/resource.ts';
import { type TypeSpec, typeSpec } from '../../../../protocol/kinds/type.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Transaction } from '../../store/object-store.types.ts';

export const PLURALS = ['models', 'types', 'resources'] as const;
export type Plural = (typeof PLURALS)[number];

/** The name that stands for machines in rules. No Type has it. */
export const NODE_TYPE = 'Node';
/** Prefix of a parent that is a machine. */
export const NODE_PARENT = 'node/';

/** The reads that judging needs: those of a transaction, or of the durable state. */
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

/** The form in which names of types are compared. */
export function typeKey(name: string): string {
  return name.toLowerCase();
}

/** A type's name in its own spelling: from the spec, or else the object's name. Undefined if that is not a valid name. */
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

/** The parents that are resources, without duplicates. */
export function resourceParents(spec: ResourceSpec): string[] {
  return [...new Set(spec.parents ?? [])].filter((parent) => !parent.startsWith(NODE_PARENT));
}

/** The machines that it is deployed to, without duplicates. */
export function nodeParents(spec: ResourceSpec): string[] {
  return [...new Set(spec.parents ?? [])]
    .filter((parent) => parent.startsWith(NODE_PARENT))
    .map((parent) => parent.slice(NODE_PARENT.length));
}
