/** The keys of filters, and the values that nodes have under them. Pure. */
import { isRecord } from '../encoding/json.ts';
import { nearMiss } from '../text/near-miss.ts';
import { filterFault } from './clauses.ts';
import type { FilteredNode, FilterKey } from './filter.types.ts';

/** Keys that every node has, as shown to people. */
const BUILT_IN_KEYS = ['hostname', 'name', 'osfamily', 'osarch', 'osname', 'osversion', 'tags', 'type'] as const;

/** The type of all nodes. */
const NODE_TYPE = 'node';
/** How many keys a refusal lists. */
const MAX_NAMED = 40;

const BUILT_IN: ReadonlyMap<string, FilterKey> = new Map<string, FilterKey>([
  ['hostname', { of: 'fact', name: 'hostname' }],
  ['osfamily', { of: 'fact', name: 'osFamily' }],
  ['osname', { of: 'fact', name: 'osName' }],
  ['osversion', { of: 'fact', name: 'osVersion' }],
  ['osarch', { of: 'fact', name: 'osArch' }],
  ['name', { of: 'name' }],
  ['type', { of: 'type' }],
  ['tags', { of: 'tags' }],
  ['tag', { of: 'tags' }],
]);

/** Returns the names of all properties and labels of these nodes: the keys that filters may have besides the built-in ones. */
export function propertyKeysOf(nodes: Iterable<FilteredNode>): Set<string> {
  const keys = new Set<string>();
  for (const { object } of nodes) {
    for (const name of Object.keys(propertiesOf(object.spec))) keys.add(name);
    for (const name of Object.keys(object.metadata.labels ?? {})) keys.add(name);
  }
  return keys;
}

/**
 * Returns the key that a word means: `os-family` and `osFamily` mean `osfamily`, `tag` means `tags`; then properties and labels by their
 * exact name, else ignoring case. If `known` is given, a key that no node has is an error: BAD_REQUEST.
 */
export function keyOf(word: string, known: ReadonlySet<string> | undefined, where: { text: string; at: number }): FilterKey {
  const builtIn = BUILT_IN.get(word.toLowerCase().replaceAll(/[-_]/g, ''));
  if (builtIn !== undefined) return builtIn;
  if (known === undefined || known.has(word)) return { of: 'property', name: word };
  const folded = word.toLowerCase();
  const same = [...known].filter((name) => name.toLowerCase() === folded);
  if (same.length === 1 && same[0] !== undefined) return { of: 'property', name: same[0] };
  const all = [...BUILT_IN_KEYS, ...[...known].sort()];
  const near = nearMiss(word, all);
  const more = all.length > MAX_NAMED ? ` and ${all.length - MAX_NAMED} more` : '';
  throw filterFault(
    `no node has a key "${word}"`,
    where.text,
    where.at,
    `${near === undefined ? '' : `Did you mean "${near}"? `}There are: ${all.slice(0, MAX_NAMED).join(', ')}${more}.`,
    { key: word, keys: all.slice(0, MAX_NAMED), ...(near === undefined ? {} : { near }) },
  );
}

/** Returns one text per key, to recognise the same key. */
export function keyId(key: FilterKey): string {
  return key.of === 'fact' || key.of === 'property' ? `${key.of}.${key.name}` : key.of;
}

/** True for facts, names and types, which are compared without regard to case. */
export function ignoresCase(key: FilterKey): boolean {
  return key.of === 'fact' || key.of === 'name' || key.of === 'type';
}

/** Returns a node's values for a key: several for tags, none if it has no such value. */
export function valuesOf({ node, object }: FilteredNode, key: FilterKey): readonly string[] {
  switch (key.of) {
    case 'name':
      return [node];
    case 'type':
      return [NODE_TYPE];
    case 'fact':
      return texts(factsOf(object.status)[key.name]);
    case 'tags': {
      const tags = isRecord(object.spec) ? object.spec['tags'] : undefined;
      return Array.isArray(tags) ? tags.flatMap(texts) : [];
    }
    case 'property':
      return texts(own(propertiesOf(object.spec), key.name) ?? own(object.metadata.labels ?? {}, key.name));
  }
}

function factsOf(status: unknown): Record<string, unknown> {
  const facts = isRecord(status) ? status['facts'] : undefined;
  return isRecord(facts) ? facts : {};
}

function propertiesOf(spec: unknown): Record<string, unknown> {
  const properties = isRecord(spec) ? spec['properties'] : undefined;
  return isRecord(properties) ? properties : {};
}

function own(values: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function texts(value: unknown): string[] {
  return typeof value === 'string' ? [value] : typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : [];
}
