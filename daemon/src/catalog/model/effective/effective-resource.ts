/**
 * A resource with everything derived: properties with defaults, values that children export to it, relations in both directions,
 * deployments, and violated conditions. Reads the durable state. Shows of parents and children only what the asker may see.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import { OPERATOR, type Principal } from '../../../../../protocol/rights/principal.ts';
import { SHOWN_CHILDREN } from '../limits.ts';
import { nodeParents, nodeRef, type Reads, refIn, resourceNameOf, resourceParents, resourceSpecOf } from '../objects.ts';
import { Refusal } from '../refusal.ts';
import { type Count, NODE_END, tooFew, tooMany } from '../relation-rules.ts';
import type { ResolvedProperty, ResolvedType } from '../resolved-type.ts';
import { effectiveProperties, judgeProperties } from '../resource-properties.ts';
import type { Rights } from '../rights.ts';
import { readCounts } from '../rows.ts';
import { childrenOf } from '../rules/dependents.ts';
import type { TypeBook } from '../type-book.ts';

export interface EffectiveValue {
  value: unknown;
  origin: 'own' | 'default' | 'imported';
  /** The child that exports an imported value. */
  child?: string;
  type: string;
}

/** Children after which the work yields to the event loop: each may export a thousand values. */
const BREATH = 16;

/** A resource at the other end of a relation. */
export interface Related {
  /** Name of the object. */
  name: string;
  type?: string;
}

export interface EffectiveResource {
  name: string;
  model: string;
  /** Its type, then that type's supertypes. */
  types: readonly string[];
  properties: Record<string, EffectiveValue>;
  /** Values that children export, by child. */
  imported: Record<string, Record<string, unknown>>;
  parents: Related[];
  /** The first children, in name order; `count` is the number of all. */
  children: { items: Related[]; count: number };
  /** Nodes that it is deployed to. */
  deployments: string[];
  violations: { field: string; message: string }[];
}

export interface EffectiveOptions {
  reads: Reads;
  book: TypeBook;
  node: string;
  rights: Rights;
}

export async function effectiveResource(options: EffectiveOptions, principal: Principal, name: string): Promise<EffectiveResource> {
  const { reads, book, node } = options;
  const object = await reads.get(refIn(node, 'resources', name));
  const spec = object === undefined ? undefined : resourceSpecOf(object);
  if (object === undefined || spec === undefined) throw new DtkdError('NOT_FOUND', `resources "${name.slice(0, 253)}" not found`);
  const type = await book.resolve(reads, spec.type);
  const children = await readChildren(options, principal, name);
  const parents: Related[] = [];
  for (const parent of resourceParents(spec))
    parents.push(...relatedOf(options, principal, await reads.get(refIn(node, 'resources', parent))));
  const violations = type === undefined ? [] : await violationsOf(options, type, object);
  if (type === undefined) violations.push({ field: 'spec.type', message: `there is no type "${spec.type}" on this node` });
  for (const deployed of nodeParents(spec)) {
    if (deployed === node || (await reads.get(nodeRef(deployed))) !== undefined) continue;
    violations.push({ field: 'spec.parents', message: `it is deployed to node "${deployed}", which is not known here now` });
  }
  return {
    name: resourceNameOf(object, spec),
    model: spec.model,
    types: type?.lineage ?? [spec.type],
    properties: propertiesOf(type, spec.properties ?? {}, children.imported),
    imported: Object.fromEntries([...children.imported].map(([child, values]) => [child, Object.fromEntries(values)])),
    parents,
    children: { items: children.items, count: children.count },
    deployments: nodeParents(spec),
    violations,
  };
}

/** The values that commands of a resource get, with nothing hidden. */
export async function effectiveValues(options: EffectiveOptions, object: ApiObject): Promise<Record<string, unknown>> {
  const spec = resourceSpecOf(object);
  if (spec === undefined) return {};
  const type = await options.book.resolve(options.reads, spec.type);
  const { imported } = await readChildren(options, { type: 'operator', name: OPERATOR }, object.metadata.name);
  const values = propertiesOf(type, spec.properties ?? {}, imported);
  return Object.fromEntries(Object.entries(values).map(([name, { value }]) => [name, value]));
}

type Exported = ReadonlyMap<string, ReadonlyMap<string, unknown>>;

/** Own values and defaults, and values that exactly one child exports if the resource has none itself. */
function propertiesOf(type: ResolvedType | undefined, own: Record<string, unknown>, imported: Exported): Record<string, EffectiveValue> {
  const all = new Map<string, EffectiveValue>();
  if (type === undefined) for (const [name, value] of Object.entries(own)) all.set(name, { value, origin: 'own', type: 'string' });
  else for (const [name, { value, origin, rule }] of effectiveProperties(type, own)) all.set(name, { value, origin, type: rule.type });
  /** The child that exports a value; undefined if several do. */
  const exporters = new Map<string, string | undefined>();
  for (const [child, values] of imported) for (const name of values.keys()) exporters.set(name, exporters.has(name) ? undefined : child);
  for (const [name, child] of exporters) {
    if (child === undefined || all.has(name)) continue;
    all.set(name, {
      value: imported.get(child)?.get(name),
      origin: 'imported',
      child,
      type: type?.properties.get(name)?.rule.type ?? 'string',
    });
  }
  return Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function readChildren(
  options: EffectiveOptions,
  principal: Principal,
  name: string,
): Promise<{ items: Related[]; count: number; imported: Exported }> {
  const { reads, book, node, rights } = options;
  const counts = await readCounts(reads, name);
  const items: Related[] = [];
  const imported = new Map<string, ReadonlyMap<string, unknown>>();
  if (counts.size > 0) {
    const exports = new Map<ResolvedType, ResolvedProperties>();
    for (const [index, ref] of (await childrenOf(reads, node, name, SHOWN_CHILDREN)).entries()) {
      if (index % BREATH === BREATH - 1) await new Promise((resolve) => setImmediate(resolve));
      const child = await reads.get(ref);
      items.push(...relatedOf(options, principal, child));
      const spec = child === undefined ? undefined : resourceSpecOf(child);
      const type = spec === undefined ? undefined : await book.resolve(reads, spec.type);
      if (child === undefined || spec === undefined || type === undefined || !rights.may(principal, 'READ', 'resources', child)) continue;
      const properties = exports.get(type) ?? exportedBy(type);
      exports.set(type, properties);
      const exported = exportedValues(properties, spec.properties ?? {});
      if (exported.size > 0) imported.set(ref.name, exported);
    }
  }
  return { items, count: [...counts.values()].reduce((sum, count) => sum + count, 0), imported };
}

type ResolvedProperties = readonly (readonly [string, ResolvedProperty])[];

/** The properties that a type exports, in name order. */
function exportedBy(type: ResolvedType): ResolvedProperties {
  return [...type.properties].filter(([, { rule }]) => rule.exported === true).sort(([a], [b]) => (a < b ? -1 : 1));
}

function exportedValues(properties: ResolvedProperties, own: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [name, { rule }] of properties) {
    const value = Object.hasOwn(own, name) ? own[name] : rule.default;
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

/** A relative as the asker may see it: nothing, its name, or its name and type. */
function relatedOf({ rights }: EffectiveOptions, principal: Principal, object: ApiObject | undefined): Related[] {
  if (object === undefined || !rights.may(principal, 'DISCOVER', 'resources', object)) return [];
  const type = rights.may(principal, 'READ', 'resources', object) ? resourceSpecOf(object)?.type : undefined;
  return [{ name: object.metadata.name, ...(type === undefined ? {} : { type }) }];
}

/** Conditions that do not hold: faults in properties, too few relations, and too many children. */
async function violationsOf(
  { reads, book, node }: EffectiveOptions,
  type: ResolvedType,
  object: ApiObject,
): Promise<{ field: string; message: string }[]> {
  const spec = resourceSpecOf(object);
  if (spec === undefined) return [];
  const refusal = new Refusal();
  judgeProperties(type, spec.properties ?? {}, refusal.against(refIn(node, 'resources', object.metadata.name)));
  const violations = refusal.causes.map(({ field, message }) => ({ field, message }));
  const endOf = async (name: string): Promise<Count['end']> => (await book.resolve(reads, name)) ?? { name, keys: new Set([name]) };
  const children: Count[] = [];
  for (const [key, count] of await readCounts(reads, object.metadata.name)) children.push({ end: await endOf(key), count });
  const parents: Count[] = nodeParents(spec).length === 0 ? [] : [{ end: NODE_END, count: nodeParents(spec).length }];
  for (const parent of resourceParents(spec)) {
    const stored = await reads.get(refIn(node, 'resources', parent));
    const above = stored === undefined ? undefined : resourceSpecOf(stored);
    if (above !== undefined) parents.push({ end: await endOf(above.type), count: 1 });
  }
  for (const [what, rules, counts] of [['children', type.children, children] as const, ['parents', type.parents, parents] as const]) {
    for (const text of [...tooFew(rules, counts), ...(what === 'children' ? tooMany(rules, counts) : [])]) {
      violations.push({ field: what, message: `a ${type.name} has as ${what} ${text}` });
    }
  }
  return violations;
}
