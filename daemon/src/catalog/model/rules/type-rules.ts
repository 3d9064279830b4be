/** Judges types: that each is valid, and that changing one leaves nothing that breaks it. */
import { compilePattern } from '../../../../../protocol/definitions/pattern.ts';
import { ruleFaults } from '../../../../../protocol/definitions/property-value.ts';
import { jsonEqual } from '../../../../../protocol/encoding/json.ts';
import { type TypeSpec, typeSpec } from '../../../../../protocol/kinds/type.ts';
import { MAX_SUPERTYPES } from '../../../../../protocol/limits.ts';
import { COUNTED, MAX_PROPERTIES, MAX_REJUDGED } from '../limits.ts';
import { NODE_TYPE, refIn, resourceParents, typeKey, typeNameOf, typeSpecOf } from '../objects.ts';
import { type Faults, inUse, objectText, Refusal } from '../refusal.ts';
import { type NamedType, type ResolvedType, shapeOf, wrongOverrides } from '../resolved-type.ts';
import { nameRow, readName } from '../rows.ts';
import { chainOf, ready, resolveChain, type TypeBook } from '../type-book.ts';
import type { Case } from './case.ts';
import { judgeCommands } from './command-rules.ts';
import { dependents, resourcesOfType, subtypesOf } from './dependents.ts';
import { isLeaving } from './instance-rules.ts';
import { assertNoCycle, judgeLimits, judgeRelationsOf, judgeStored } from './resource-rules.ts';
import type { Touched } from './touched.ts';

/** Writes the rows by which types are found, and refuses a second type of the same name. Call it before reading any type. */
export async function keepTypeNames(work: Case, touched: readonly Touched[]): Promise<void> {
  const { tx, refusal } = work;
  for (const { ref, before } of touched) {
    const name = before === undefined ? undefined : typeNameOf(before);
    if (name === undefined) continue;
    const row = nameRow.type(typeKey(name));
    if ((await readName(tx, row)) === ref.name) tx.delRow(row);
  }
  for (const { ref, after } of touched) {
    if (after === undefined) continue;
    const name = typeNameOf(after);
    const faults = refusal.against(ref);
    if (name === undefined) {
      faults.add(
        'spec.name',
        `"${ref.name}" is not a valid name for a type: it must be a letter, then letters, digits, - and _, at most 63`,
        'FieldValueRequired',
      );
      continue;
    }
    if (typeKey(name) === typeKey(NODE_TYPE)) {
      faults.add('spec.name', 'Node is reserved for machines and cannot be a type; choose another name', 'FieldValueForbidden');
      continue;
    }
    const row = nameRow.type(typeKey(name));
    const holder = await readName(tx, row);
    if (holder !== undefined && holder !== ref.name) {
      faults.add(
        'spec.name',
        `the type "${name}" exists already, as ${objectText({ plural: 'types', name: holder })}`,
        'FieldValueDuplicate',
      );
      continue;
    }
    tx.putRow(row, Buffer.from(ref.name));
  }
}

/** Judges each written type by itself. */
export async function judgeTypes(work: Case, book: TypeBook, touched: readonly Touched[]): Promise<void> {
  for (const { ref, after } of touched) {
    if (after === undefined || work.refusal.full) continue;
    await work.breatheNow();
    const faults = work.refusal.against(ref);
    const parsed = typeSpec.safeParse(after['spec'] ?? {});
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      faults.add(['spec', ...(issue?.path ?? [])].join('.'), issue?.message ?? 'does not fit the schema');
      continue;
    }
    const name = typeNameOf(after);
    if (name !== undefined) await judgeType(work, book, { name, spec: parsed.data }, faults);
  }
}

async function judgeType(work: Case, book: TypeBook, type: NamedType, faults: Faults): Promise<void> {
  for (const [property, rule] of Object.entries(type.spec.properties ?? {})) {
    if (rule.pattern === undefined) continue;
    const result = await compilePattern(rule.pattern);
    if ('error' in result) faults.add(`spec.properties.${property}.pattern`, result.error);
  }
  const chain = await chainOf(type.name, (name) => book.named(work.tx, name));
  if ('fault' in chain) return faults.add('spec.extends', chainText(type, chain));
  const spelled = chain[1]?.name;
  if (spelled !== undefined && type.spec.extends !== spelled) {
    faults.add('spec.extends', `the type is spelled "${spelled}"`);
  }
  for (const { property, inherited, own } of wrongOverrides(chain)) {
    faults.add(`spec.properties.${property}.type`, `expected ${inherited} as in the supertype, or a narrower type; got ${own}`);
  }
  await judgeCommands(chain, faults);
  const resolved = await resolveChain(chain);
  if (resolved.properties.size > MAX_PROPERTIES) {
    faults.add('spec.properties', `a type has at most ${MAX_PROPERTIES} properties with those that it inherits`);
  }
  for (const [property, { rule, from }] of resolved.properties) {
    if (from !== type.name) continue;
    for (const { field, message } of ruleFaults(await ready(rule))) faults.add(`spec.properties.${property}.${field}`, message);
  }
}

function chainText(type: NamedType, chain: Exclude<Awaited<ReturnType<typeof chainOf>>, readonly NamedType[]>): string {
  if (chain.fault === 'deep') return `a type has at most ${MAX_SUPERTYPES} supertypes`;
  if (chain.fault === 'cycle') {
    return chain.names.length === 2 ? 'a type cannot extend itself' : `a type cannot extend itself: ${chain.names.join(' → ')}`;
  }
  if (typeKey(chain.name) === typeKey(NODE_TYPE)) return 'Node is reserved for machines and cannot be extended';
  return typeKey(chain.name) === typeKey(type.spec.extends ?? '')
    ? `there is no type "${chain.name}" on this node; create it first, or send both together`
    : `its supertypes end at "${chain.name}", which does not exist`;
}

/**
 * Refuses changes that leave resources or subtypes without their type, or in breach of it. Call it after everything else has been judged.
 */
export async function judgeUsers(
  work: Case,
  book: TypeBook,
  touched: readonly Touched[],
  isTouched: (resource: string) => boolean,
): Promise<void> {
  const before = new Map<string, NamedType & { object: string }>();
  for (const { ref, before: object } of touched) {
    const name = object === undefined ? undefined : typeNameOf(object);
    const spec: TypeSpec | undefined = object === undefined ? undefined : typeSpecOf(object);
    if (name !== undefined && spec !== undefined) before.set(typeKey(name), { name, spec, object: ref.name });
  }
  const after = new Set(touched.flatMap(({ after: object }) => (object === undefined ? [] : [typeKey(typeNameOf(object) ?? '')])));
  const changed = new Map<string, { now: ResolvedType; object: string }>();
  for (const [key, old] of before) {
    const now = after.has(key) ? await work.type(old.name) : undefined;
    if (now?.name === old.name) changed.set(key, { now, object: old.object });
    else await assertUnused(work, old, now);
  }
  const lookUpOld = async (name: string): Promise<NamedType | undefined> => {
    const key = typeKey(name);
    if (before.has(key)) return before.get(key);
    return after.has(key) ? undefined : await book.named(work.tx, name);
  };
  for (const { now, object } of await withSubtypes(work, changed)) {
    await work.breatheNow();
    await assertOverridesHold(work, book, now, object);
    const chain = await chainOf(now.name, lookUpOld);
    if ('fault' in chain || jsonEqual(shapeOf(await resolveChain(chain)), shapeOf(now))) continue;
    await judgeAnew(work, now, object, isTouched);
  }
}

async function assertUnused(work: Case, old: { name: string; object: string }, now: ResolvedType | undefined): Promise<void> {
  const { tx, node } = work;
  const what = refIn(node, 'types', old.object);
  const why = now === undefined ? 'cannot be deleted: it' : `cannot be spelled "${now.name}" from now on: it`;
  const subtypes = await subtypesOf(tx, node, old.name, COUNTED + 1);
  if (subtypes.length > 0) throw inUse(what, `${why} is extended by types`, dependents(subtypes), advice(now, 'those types'));
  const resources = await resourcesOfType(tx, node, old.name, COUNTED + 1);
  if (resources.length > 0) throw inUse(what, `${why} is the type of resources`, dependents(resources), advice(now, 'those resources'));
}

function advice(now: ResolvedType | undefined, what: string): string {
  return now === undefined
    ? `Delete or change ${what} first, or delete all at once: dtkd delete --cascade.`
    : `Change ${what} in the same import.`;
}

/** The changed types, and all types that inherit from them. */
async function withSubtypes(
  work: Case,
  changed: ReadonlyMap<string, { now: ResolvedType; object: string }>,
): Promise<{ now: ResolvedType; object: string }[]> {
  const all = new Map(changed);
  const waiting = [...changed.values()];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const ref of await subtypesOf(work.tx, work.node, next.now.name, COUNTED)) {
      await work.breatheNow();
      const object = await work.tx.get(ref);
      const name = object === undefined ? undefined : typeNameOf(object);
      if (name === undefined || all.has(typeKey(name))) continue;
      const now = await work.type(name);
      if (now === undefined) {
        throw inUse(
          refIn(work.node, 'types', next.object),
          'cannot be changed like this: it would break types that extend it',
          dependents([ref]),
          'Change those types first, or in the same import.',
        );
      }
      const found = { now, object: next.object };
      all.set(typeKey(name), found);
      waiting.push(found);
    }
  }
  return [...all.values()];
}

/** Requires that overrides in a type that extends a changed one still narrow its properties. */
async function assertOverridesHold(work: Case, book: TypeBook, type: ResolvedType, changed: string): Promise<void> {
  const chain = await chainOf(type.name, (name) => book.named(work.tx, name));
  const overrides = 'fault' in chain ? [] : wrongOverrides(chain).map(({ property, inherited }) => `${property} is ${inherited} now`);
  const rules = [...type.properties].flatMap(([property, { rule }]) =>
    ruleFaults(rule).map(({ field, message }) => `${property}.${field}: ${message}`),
  );
  const [first] = [...overrides, ...rules];
  if (first === undefined) return;
  throw inUse(
    refIn(work.node, 'types', changed),
    'cannot be changed like this: it would break a type that extends it',
    {
      names: [objectText({ plural: 'types', name: (await readName(work.tx, nameRow.type(typeKey(type.name)))) ?? type.name })],
      count: 1,
      more: false,
    },
    'Change that type first, or in the same import.',
    first,
  );
}

/** Judges all resources of a changed type; the refusal lists those that would break it. */
async function judgeAnew(work: Case, type: ResolvedType, changed: string, isTouched: (resource: string) => boolean): Promise<void> {
  const what = refIn(work.node, 'types', changed);
  const refs = await resourcesOfType(work.tx, work.node, type.name, MAX_REJUDGED + 1);
  if (refs.length > MAX_REJUDGED) {
    throw inUse(what, 'has too many resources to be changed at once', dependents(refs), 'Create a new type for the new resources.');
  }
  const broken = new Refusal();
  const parents = new Map<string, Faults>();
  for (const ref of refs) {
    if (broken.full) break;
    await work.breathe();
    const resource = await work.resource(ref.name);
    if (resource === undefined || isLeaving(resource.object)) continue;
    const faults = broken.against(ref);
    // resources in this transaction have been judged by themselves, but not against relations that they keep
    if (!isTouched(ref.name)) await judgeStored(work, resource, faults);
    await judgeRelationsOf(work, ref.name, resource, faults);
    for (const parent of resourceParents(resource.spec)) parents.set(parent, faults);
  }
  for (const [parent, faults] of parents) await judgeLimits(work, parent, faults);
  if (broken.causes.length > 0) {
    const names = [...new Set(broken.causes.map((cause) => cause.object))];
    const [first] = broken.causes;
    const error = inUse(
      what,
      'cannot be changed like this: it would break resources',
      { names, count: names.length, more: broken.full },
      'Correct those resources first, or in the same import.',
      `${first?.object} ${first?.field}: ${first?.message}`,
    );
    if (error.details !== undefined) error.details['causes'] = broken.causes;
    throw error;
  }
  if (!type.cycles)
    await assertNoCycle(
      work,
      refs.map((ref) => ref.name),
    );
}
