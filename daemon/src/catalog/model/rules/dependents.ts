/** Finds the dependents of an object by index, and lists them for people. */
import type { ObjectRef } from '../../../../../protocol/objects/objects.ts';
import { COUNTED } from '../limits.ts';
import { type Plural, type Reads, refIn } from '../objects.ts';
import { type Dependents, objectText } from '../refusal.ts';

/** Objects of a kind that have a value at an indexed path. */
export function found(
  reads: Pick<Reads, 'find'>,
  node: string,
  plural: Plural,
  path: string,
  value: string,
  limit: number,
): Promise<ObjectRef[]> {
  const { group, namespace } = refIn(node, plural, '');
  return reads.find({ group, plural, namespace, path, value, limit });
}

export function childrenOf(reads: Pick<Reads, 'find'>, node: string, resource: string, limit: number): Promise<ObjectRef[]> {
  return found(reads, node, 'resources', 'spec.parents', resource, limit);
}

/** Resources of exactly this type, by its name as spelled. */
export function resourcesOfType(reads: Pick<Reads, 'find'>, node: string, type: string, limit: number): Promise<ObjectRef[]> {
  return found(reads, node, 'resources', 'spec.type', type, limit);
}

export function subtypesOf(reads: Pick<Reads, 'find'>, node: string, type: string, limit: number): Promise<ObjectRef[]> {
  return found(reads, node, 'types', 'spec.extends', type, limit);
}

export function resourcesOfModel(reads: Pick<Reads, 'find'>, node: string, model: string, limit: number): Promise<ObjectRef[]> {
  return found(reads, node, 'resources', 'spec.model', model, limit);
}

/** Summarizes a search, limited to COUNTED + 1, for people. */
export function dependents(refs: readonly ObjectRef[]): Dependents {
  return { names: refs.slice(0, COUNTED).map(objectText), count: Math.min(refs.length, COUNTED), more: refs.length > COUNTED };
}
