/** Differences between what is wanted and what is applied, for people. Pure. Values of secrets are left out. */
import { jsonEqual } from '../../../../../../protocol/encoding/json.ts';
import { typeKey } from '../../../model/objects.ts';
import type { AppliedResource, DesiredResource, Difference } from '../../instances.types.ts';
import type { Applied } from './plan.types.ts';

/**
 * Each difference once, by component in the order of the file. A resource whose last command did not end well shows no difference
 * for that alone.
 */
export function differencesOf(desired: ReadonlyMap<string, DesiredResource>, applied: Applied): Difference[] {
  const found = new Map<string, Difference>();
  const add = (difference: Difference): void => {
    found.set(JSON.stringify(difference), difference);
  };
  const before = new Set([...applied.values()].map(({ component }) => component));
  const after = new Set([...desired.values()].map(({ component }) => component));
  for (const [name, resource] of desired) {
    const row = applied.get(name);
    if (!before.has(resource.component)) add({ kind: 'component', what: resource.component, op: 'added', after: resource.type });
    else if (row === undefined) add({ kind: 'placement', what: name, op: 'added', after: resource.node });
    else for (const difference of between(row, resource)) add(difference);
  }
  for (const [name, row] of applied) {
    if (desired.has(name)) continue;
    if (!after.has(row.component)) add({ kind: 'component', what: row.component, op: 'removed', before: row.type });
    else add({ kind: 'placement', what: name, op: 'removed', before: row.node });
  }
  return [...found.values()];
}

function between(row: AppliedResource, resource: DesiredResource): Difference[] {
  if (row.digest === resource.digest) return [];
  const differences: Difference[] = [];
  const { component } = resource;
  if (row.node !== resource.node)
    differences.push({ kind: 'placement', what: resource.name, op: 'changed', before: row.node, after: resource.node });
  if (typeKey(row.type) !== typeKey(resource.type))
    differences.push({ kind: 'type', what: component, op: 'changed', before: row.type, after: resource.type });
  if (!jsonEqual([...row.parents].sort(), [...resource.parents].sort())) {
    differences.push({ kind: 'component', what: `${component}.parents`, op: 'changed', before: row.parents, after: resource.parents });
  }
  for (const name of [...new Set([...Object.keys(row.properties), ...Object.keys(resource.properties)])].sort()) {
    const difference = propertyBetween(name, row, resource);
    if (difference !== undefined) differences.push(difference);
  }
  if (differences.length === 0 && row.digest !== undefined) differences.push({ kind: 'type', what: resource.type, op: 'changed' });
  return differences;
}

function propertyBetween(name: string, row: AppliedResource, resource: DesiredResource): Difference | undefined {
  const had = Object.hasOwn(row.properties, name);
  const has = Object.hasOwn(resource.properties, name);
  const [before, after] = [row.properties[name], resource.properties[name]];
  if (had && has && jsonEqual(before, after)) return undefined;
  const shown = !row.secrets.includes(name) && !resource.secrets.includes(name);
  return {
    kind: 'property',
    what: `${resource.component}.${name}`,
    op: !had ? 'added' : has ? 'changed' : 'removed',
    ...(shown && had ? { before } : {}),
    ...(shown && has ? { after } : {}),
  };
}
