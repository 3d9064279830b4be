/** Judges resources: model, type, properties, parents and children, and cycles where a type forbids them. */
import { jsonEqual } from '../../../../../protocol/encoding/json.ts';
import { type ResourceSpec, resourceSpec } from '../../../../../protocol/kinds/resource.ts';
import { forbiddenCycle } from '../cycles.ts';
import { BREATH, COUNTED, MAX_ANCESTORS } from '../limits.ts';
import { NODE_PARENT, nodeRef, refIn, resourceNameOf, resourceParents, resourceSpecOf, typeKey } from '../objects.ts';
import { type Faults, inUse, noParent, objectText } from '../refusal.ts';
import { limitsCount, mayStand, permitted, tooMany } from '../relation-rules.ts';
import type { ResolvedType } from '../resolved-type.ts';
import { judgeProperties } from '../resource-properties.ts';
import { nameRow, readName } from '../rows.ts';
import type { Case, StoredResource } from './case.ts';
import { childrenOf, dependents } from './dependents.ts';
import { isLeaving } from './instance-rules.ts';
import type { Touched } from './touched.ts';

/**
 * Writes the rows for names and counts, and refuses a second resource with the same model, type and name. Call it before judging resources.
 */
export async function keepResourceRows(work: Case, touched: readonly Touched[]): Promise<void> {
  for (const { ref, before, after } of touched) {
    work.know(ref.name, after);
    if (before === undefined) work.isNew(ref.name);
  }
  for (const { ref, before } of touched) {
    await work.breathe();
    const spec = before === undefined ? undefined : resourceSpecOf(before);
    if (before === undefined || spec === undefined) continue;
    const row = nameRow.resource(spec.model, typeKey(spec.type), resourceNameOf(before, spec));
    if ((await readName(work.tx, row)) === ref.name) work.tx.delRow(row);
    for (const parent of resourceParents(spec)) await work.count(parent, spec.type, -1);
  }
  const taken = new Map<string, string>();
  for (let start = 0; start < touched.length && !work.refusal.full; start += BREATH) {
    await keepNames(work, touched.slice(start, start + BREATH), taken);
  }
}

/** Reads the rows of many names at once: one by one, round trips to the database would take most of the time of a large import. */
async function keepNames(work: Case, touched: readonly Touched[], taken: Map<string, string>): Promise<void> {
  await work.breathe();
  const named = await Promise.all(
    touched.map(async ({ ref, after }) => {
      const spec = after === undefined ? undefined : (await work.resource(ref.name))?.spec;
      if (after === undefined || spec === undefined) return undefined;
      const name = resourceNameOf(after, spec);
      const row = nameRow.resource(spec.model, typeKey(spec.type), name);
      return { ref, spec, name, row, holder: await readName(work.tx, row) };
    }),
  );
  for (const entry of named) {
    if (entry === undefined) continue;
    const { ref, spec, name, row } = entry;
    for (const parent of resourceParents(spec)) await work.count(parent, spec.type, 1);
    const holder = taken.get(row) ?? entry.holder;
    if (holder !== undefined && holder !== ref.name) {
      const there = objectText({ plural: 'resources', name: holder });
      const message = `model ${spec.model} has a ${spec.type} "${name}" already, as ${there}`;
      work.refusal.against(ref).add('spec.name', message, 'FieldValueDuplicate');
      continue;
    }
    taken.set(row, ref.name);
    if (holder === undefined) work.tx.putRow(row, Buffer.from(ref.name));
  }
}

/** Judges each written resource. */
export async function judgeResources(work: Case, touched: readonly Touched[]): Promise<void> {
  const parents = new Map<string, Faults>();
  for (const change of touched) {
    if (change.after === undefined || work.refusal.full || staysAsItLeaves(change)) continue;
    await work.breathe();
    const { ref } = change;
    const faults = work.refusal.against(ref);
    const resource = await work.resource(ref.name);
    if (resource === undefined) {
      const issue = resourceSpec.safeParse(change.after['spec']).error?.issues[0];
      faults.add(['spec', ...(issue?.path ?? [])].join('.'), issue?.message ?? 'does not fit the schema');
      continue;
    }
    const before = change.before === undefined ? undefined : resourceSpecOf(change.before);
    await judgeStored(work, resource, faults);
    await judgeNodes(work, resource.spec, before, faults);
    const retyped = before !== undefined && typeKey(before.type) !== typeKey(resource.spec.type);
    if (retyped) await judgeRelationsOf(work, ref.name, resource, faults);
    for (const parent of resourceParents(resource.spec)) {
      if (retyped || before?.parents?.includes(parent) !== true) parents.set(parent, faults);
    }
  }
  for (const [parent, faults] of parents) await judgeLimits(work, parent, faults);
}

/** A resource that is being taken down may keep its spec, even if that no longer fits its type. */
function staysAsItLeaves({ before, after }: Touched): boolean {
  return before !== undefined && after !== undefined && isLeaving(after) && jsonEqual(before['spec'], after['spec']);
}

/** Judges a resource by itself and against its parents. */
export async function judgeStored(work: Case, { spec }: StoredResource, faults: Faults): Promise<void> {
  if ((await work.model(spec.model)) === undefined) {
    faults.add(
      'spec.model',
      `there is no model "${spec.model}" on this node; create it first, or send both together`,
      'FieldValueNotFound',
    );
  }
  const type = await work.type(spec.type);
  if (type === undefined) {
    const text = `there is no type "${spec.type}" on this node; create it first, or send both together`;
    return faults.add('spec.type', text, 'FieldValueNotFound');
  }
  if (type.name !== spec.type) faults.add('spec.type', `the type is spelled "${type.name}"`);
  if (type.abstract) faults.add('spec.type', `type ${type.name} is abstract; expected one that extends it`);
  judgeProperties(type, spec.properties ?? {}, faults);
  await judgeParents(work, type, spec, faults);
}

async function judgeParents(work: Case, type: ResolvedType, spec: ResourceSpec, faults: Faults): Promise<void> {
  const parents = spec.parents ?? [];
  if (parents.length === 0) return;
  const seen = new Set<string>();
  for (const [index, parent] of parents.entries()) {
    const field = `spec.parents[${index}]`;
    if (seen.has(parent)) faults.add(field, `"${parent}" is named twice`, 'FieldValueDuplicate');
    seen.add(parent);
    const end = await work.endOf(parent);
    if (end === undefined) {
      faults.add(field, noParent(parent), 'FieldValueNotFound');
      continue;
    }
    if (type.parents !== undefined && !mayStand(type.parents, end)) {
      faults.add(
        field,
        `a ${type.name} cannot be a child of "${parent}", a ${end.name}; expected ${permitted(type.parents)}`,
        'FieldValueForbidden',
      );
    }
    const above = parent.startsWith(NODE_PARENT) ? undefined : (await work.type(end.name))?.children;
    if (above !== undefined && !mayStand(above, type)) {
      faults.add(
        field,
        `"${parent}", a ${end.name}, cannot have a ${type.name} as child; it takes ${permitted(above)}`,
        'FieldValueForbidden',
      );
    }
  }
  if (!limitsCount(type.parents)) return;
  for (const text of tooMany(type.parents, await work.parentCounts(spec))) {
    faults.add('spec.parents', `a ${type.name} has as parents ${text}`, 'FieldValueForbidden');
  }
}

/** Refuses to deploy to an unknown machine. Existing deployments to a machine that left may stay. */
async function judgeNodes(work: Case, spec: ResourceSpec, before: ResourceSpec | undefined, faults: Faults): Promise<void> {
  for (const [index, parent] of (spec.parents ?? []).entries()) {
    if (!parent.startsWith(NODE_PARENT) || before?.parents?.includes(parent) === true) continue;
    const name = parent.slice(NODE_PARENT.length);
    if (name === work.node || (await work.tx.get(nodeRef(name))) !== undefined) continue;
    faults.add(`spec.parents[${index}]`, `no node "${name}" is known here; "dtkd get nodes" lists those that are`, 'FieldValueNotFound');
  }
}

/** Judges a resource against its children, after its type has changed. */
export async function judgeRelationsOf(work: Case, name: string, { spec }: StoredResource, faults: Faults): Promise<void> {
  const type = await work.type(spec.type);
  const counts = await work.childCounts(name);
  if (type === undefined || counts.length === 0) return;
  let limited = false;
  for (const { end } of counts) {
    const child = await work.type(end.name);
    if (!mayStand(type.children, end)) {
      faults.add(
        'spec.type',
        `it has a child of type ${end.name}; a ${type.name} takes ${permitted(type.children ?? [])}`,
        'FieldValueForbidden',
      );
    }
    if (child?.parents !== undefined && !mayStand(child.parents, type)) {
      faults.add('spec.type', `it has a child of type ${end.name}, which can be below ${permitted(child.parents)}`, 'FieldValueForbidden');
    }
    limited ||= limitsCount(child?.parents);
  }
  for (const text of tooMany(type.children, counts))
    faults.add('spec.type', `a ${type.name} has as children ${text}`, 'FieldValueForbidden');
  if (!limited) return;
  for (const ref of await childrenOf(work.tx, work.node, name, COUNTED)) {
    await work.breathe();
    const child = await work.resource(ref.name);
    const childType = child === undefined ? undefined : await work.type(child.spec.type);
    if (child === undefined || childType === undefined) continue;
    for (const text of tooMany(childType.parents, await work.parentCounts(child.spec))) {
      faults.add('spec.type', `its child "${ref.name}" has as parents ${text}`, 'FieldValueForbidden');
    }
  }
}

/** Judges the number of a resource's children. */
export async function judgeLimits(work: Case, parent: string, faults: Faults): Promise<void> {
  const resource = await work.resource(parent);
  const type = resource === undefined ? undefined : await work.type(resource.spec.type);
  if (type === undefined || !limitsCount(type.children)) return;
  for (const text of tooMany(type.children, await work.childCounts(parent))) {
    faults.add('spec.parents', `"${parent}", a ${type.name}, has as children ${text}`, 'FieldValueForbidden');
  }
}

/** Refuses to delete resources that have children. */
export async function assertNoOrphans(work: Case, touched: readonly Touched[]): Promise<void> {
  for (const { ref, after } of touched) {
    await work.breathe();
    if (after !== undefined || (await work.children(ref.name)).size === 0) continue;
    const refs = await childrenOf(work.tx, work.node, ref.name, COUNTED + 1);
    const next = 'Delete or move these first, or delete all at once: dtkd delete --cascade.';
    throw inUse(refIn(work.node, 'resources', ref.name), 'cannot be deleted: it has children', dependents(refs), next);
  }
}

/** Names of resources that may be on a new cycle: they have a new parent or another type, and have children. */
export async function possiblyOnCycle(work: Case, touched: readonly Touched[]): Promise<string[]> {
  const names: string[] = [];
  for (const { ref, before, after } of touched) {
    await work.breathe();
    const now = after === undefined ? undefined : resourceParents((await work.resource(ref.name))?.spec ?? { model: '', type: '' });
    if (now === undefined || now.length === 0 || (await work.children(ref.name)).size === 0) continue;
    const old = before === undefined ? undefined : resourceSpecOf(before);
    const same = old !== undefined && old.type === (await work.resource(ref.name))?.spec.type;
    if (!same || now.some((parent) => old?.parents?.includes(parent) !== true)) names.push(ref.name);
  }
  return names;
}

/** Refuses cycles above these resources that a type forbids. */
export async function assertNoCycle(work: Case, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const cycle = await forbiddenCycle(
    names,
    async (name) => {
      await work.breathe();
      const spec = (await work.resource(name))?.spec;
      if (spec === undefined) return undefined;
      return { parents: resourceParents(spec), cycles: (await work.type(spec.type))?.cycles ?? false };
    },
    MAX_ANCESTORS,
  );
  if (cycle === undefined) return;
  const [name = ''] = typeof cycle === 'string' ? names : cycle;
  const text =
    typeof cycle === 'string'
      ? `more than ${MAX_ANCESTORS} resources are above what changed; write it in parts`
      : `a resource cannot be its own ancestor: ${cycle.slice(0, 20).join(' → ')}`;
  work.refusal.against(refIn(work.node, 'resources', name)).add('spec.parents', text, 'FieldValueForbidden');
}
