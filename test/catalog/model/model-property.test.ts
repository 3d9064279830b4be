import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createModelRules } from '../../../daemon/src/catalog/model/rules/model-rules.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { controlledKv } from '../../store/fixtures.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { NODE, object, ref } from './fixtures.ts';

interface Rule {
  type: string;
  max?: number;
  singleton?: boolean;
}
interface PropertyState {
  type?: 'string' | 'integer';
  required?: boolean;
  allowed?: number[];
}
interface TypeState {
  name: string;
  extends?: string;
  abstract?: boolean;
  properties?: Record<string, PropertyState>;
  children?: Rule[];
  parents?: Rule[];
  cycles?: boolean;
}
interface ResourceState {
  model: string;
  type: string;
  name?: string;
  properties?: Record<string, unknown>;
  parents?: string[];
}
interface State {
  models: Set<string>;
  types: Map<string, TypeState>;
  resources: Map<string, ResourceState>;
}

const typeName = fc.constantFrom('A', 'B', 'C', 'D');
const rule = fc.record(
  { type: fc.oneof(typeName, fc.constant('Node')), max: fc.constantFrom(0, 1, 2), singleton: fc.boolean() },
  { requiredKeys: ['type'] },
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight, arbitrary });
const property = fc.record(
  { type: fc.constantFrom('string' as const, 'integer' as const), required: fc.boolean(), allowed: fc.subarray([1, 2], { minLength: 1 }) },
  { requiredKeys: [] },
);
const typeState: fc.Arbitrary<TypeState> = fc
  .record({
    name: typeName,
    extends: maybe(typeName, 2),
    abstract: maybe(fc.constant(true)),
    properties: maybe(fc.dictionary(fc.constantFrom('p', 'q'), property, { maxKeys: 2 })),
    children: maybe(fc.array(rule, { maxLength: 2 })),
    parents: maybe(fc.array(rule, { maxLength: 2 })),
    cycles: maybe(fc.boolean()),
  })
  .map(defined);
const resourceName = fc.constantFrom('r0', 'r1', 'r2', 'r3', 'r4', 'r5');
const resourceState: fc.Arbitrary<ResourceState> = fc
  .record({
    model: fc.constantFrom('m0', 'm0', 'm0', 'm1'),
    type: typeName,
    name: maybe(fc.constantFrom('r0', 'x')),
    properties: maybe(fc.dictionary(fc.constantFrom('p', 'q'), fc.constantFrom<unknown>(1, 2, 3, 'one'), { maxKeys: 2 })),
    parents: maybe(
      fc.uniqueArray(fc.oneof({ weight: 6, arbitrary: resourceName }, { weight: 1, arbitrary: fc.constant(`node/${NODE}`) }), {
        maxLength: 3,
      }),
      6,
    ),
  })
  .map(defined);

const act = fc.oneof(
  { weight: 1, arbitrary: fc.record({ put: fc.constant('Model' as const), name: fc.constantFrom('m0', 'm1') }) },
  { weight: 3, arbitrary: typeState.map((spec) => ({ put: 'Type' as const, name: spec.name.toLowerCase(), spec })) },
  { weight: 8, arbitrary: fc.record({ put: fc.constant('Resource' as const), name: resourceName, spec: resourceState }) },
  { weight: 1, arbitrary: fc.record({ delete: fc.constant('Model' as const), name: fc.constantFrom('m0', 'm1') }) },
  { weight: 1, arbitrary: fc.record({ delete: fc.constant('Type' as const), name: fc.constantFrom('a', 'b', 'c', 'd') }) },
  { weight: 3, arbitrary: fc.record({ delete: fc.constant('Resource' as const), name: resourceName }) },
);
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

/** A small model to begin with, so that much of what follows is accepted. */
const SEED: Act[] = [
  { put: 'Model', name: 'm0' },
  ...['A', 'B', 'C', 'D'].map((name) => ({ put: 'Type' as const, name: name.toLowerCase(), spec: { name } })),
  { put: 'Resource', name: 'r0', spec: { model: 'm0', type: 'A' } },
];

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Without the fields that are undefined. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Defined<T>;
}

function applied(state: State, acts: readonly Act[]): State {
  const next: State = { models: new Set(state.models), types: new Map(state.types), resources: new Map(state.resources) };
  for (const step of acts) {
    if ('delete' in step) {
      if (step.delete === 'Model') next.models.delete(step.name);
      else if (step.delete === 'Type') next.types.delete(step.name);
      else next.resources.delete(step.name);
    } else if (step.put === 'Model') next.models.add(step.name);
    else if (step.put === 'Type') next.types.set(step.name, step.spec);
    else next.resources.set(step.name, step.spec);
  }
  return next;
}

/** The rules once more, said of a whole state, without indexes, counts or haste. */
function isWhole({ models, types, resources }: State): boolean {
  const byName = new Map([...types.values()].map((type) => [type.name, type]));
  const chains = new Map<string, TypeState[]>();
  for (const type of types.values()) {
    const chain: TypeState[] = [];
    for (let at: TypeState | undefined = type; at !== undefined; ) {
      if (chain.includes(at)) return false;
      chain.push(at);
      if (at.extends === undefined) break;
      at = byName.get(at.extends);
      if (at === undefined) return false;
    }
    chains.set(type.name, chain);
  }
  const ruleOf = (type: string, name: string): PropertyState | undefined => {
    const said = (chains.get(type) ?? []).flatMap(({ properties }) => properties?.[name] ?? []);
    return said.length === 0 ? undefined : Object.assign({}, ...said.reverse());
  };
  for (const [name, chain] of chains) {
    for (const property of ['p', 'q']) {
      const own = chain[0]?.properties?.[property];
      const above = chain[1] === undefined ? undefined : ruleOf(chain[1].name, property);
      if (own?.type !== undefined && above !== undefined && own.type !== (above.type ?? 'string')) return false;
      const merged = ruleOf(name, property);
      if (merged?.allowed !== undefined && (merged.type ?? 'string') === 'string') return false;
    }
  }
  const isA = (type: string, wanted: string) => type === wanted || (chains.get(type) ?? []).some((one) => one.name === wanted);
  const names = new Set<string>();
  for (const [object, { model, type, name, properties = {}, parents = [] }] of resources) {
    const chain = chains.get(type);
    if (!models.has(model) || chain === undefined || chain[0]?.abstract === true) return false;
    const key = `${model} ${type} ${name ?? object}`;
    if (names.has(key)) return false;
    names.add(key);
    for (const [property, value] of Object.entries(properties)) {
      const wanted = ruleOf(type, property);
      if (wanted === undefined) return false;
      if ((wanted.type ?? 'string') === 'string' ? typeof value !== 'string' : !Number.isInteger(value)) return false;
      if (wanted.allowed !== undefined && !wanted.allowed.includes(value as number)) return false;
    }
    for (const property of ['p', 'q']) if (ruleOf(type, property)?.required === true && !Object.hasOwn(properties, property)) return false;
    const endsAbove: string[] = [];
    for (const parent of parents) {
      const above = parent.startsWith('node/') ? 'Node' : resources.get(parent)?.type;
      if (above === undefined) return false;
      endsAbove.push(above);
    }
    const endsBelow = [...resources.values()].filter((one) => one.parents?.includes(object) === true).map((one) => one.type);
    const sides = [
      { rules: chain.find((one) => one.parents !== undefined)?.parents, ends: endsAbove },
      { rules: chain.find((one) => one.children !== undefined)?.children, ends: endsBelow },
    ];
    for (const { rules, ends } of sides) {
      if (rules === undefined) continue;
      if (!ends.every((end) => rules.some((one) => one.max !== 0 && isA(end, one.type)))) return false;
      for (const { type: of, max, singleton } of rules) {
        const fitting = ends.filter((end) => isA(end, of));
        if (max !== undefined && fitting.length > max) return false;
        if (singleton === true && new Set(fitting).size !== fitting.length) return false;
      }
    }
  }
  const above = (name: string): string[] => resources.get(name)?.parents?.filter((parent) => !parent.startsWith('node/')) ?? [];
  const reach = (from: string): Set<string> => {
    const seen = new Set<string>();
    const waiting = above(from);
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      waiting.push(...above(at));
    }
    return seen;
  };
  for (const [name, { type }] of resources) {
    const allowed = chains.get(type)?.find((one) => one.cycles !== undefined)?.cycles ?? false;
    if (!allowed && reach(name).has(name)) return false;
  }
  return true;
}

const objectOf = (step: Extract<Act, { put: string }>): ApiObject => object(step.put, step.name, 'spec' in step ? step.spec : {});

describe('the rules of the model', () => {
  it('accept exactly what leaves the whole model as the types say, and both ends of relations agree', async () => {
    const round = fc.record({
      transactions: fc.array(fc.array(act, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
      mode: fc.constantFrom('real', 'real', 'real', 'dry', 'disk full'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 10 }), async (rounds) => {
        const disk = controlledKv(memoryKv());
        const store = await openObjectStore({ kv: disk.kv, node: NODE });
        store.addParticipant(createModelRules(NODE));
        let state: State = { models: new Set(), types: new Map(), resources: new Map() };
        for (const { transactions, mode } of [{ transactions: [SEED], mode: 'real' }, ...rounds]) {
          disk.fail(mode === 'disk full' ? new DtkdError('DISK_FULL', 'no room') : undefined);
          const outcomes = await Promise.allSettled(
            transactions.map((acts) =>
              store.transact(
                async (tx) => {
                  for (const step of acts) {
                    if ('delete' in step) await tx.delete(ref(step.delete, step.name));
                    else await tx.put(objectOf(step));
                  }
                },
                { dryRun: mode === 'dry' },
              ),
            ),
          );
          let next = state;
          for (const [index, outcome] of outcomes.entries()) {
            const tried = applied(next, transactions[index] ?? []);
            const whole = isWhole(tried);
            const refused = outcome.status === 'rejected' ? outcome.reason : undefined;
            if (refused !== undefined && !(refused instanceof DtkdError)) throw refused;
            const accepted = refused === undefined || refused.code === 'DISK_FULL';
            if (accepted !== whole)
              expect.unreachable(`${whole ? 'refused' : 'accepted'}: ${JSON.stringify(transactions[index])} ${refused?.message ?? ''}`);
            if (whole && mode !== 'dry') next = tried;
          }
          if (mode === 'real') state = next;
        }
        disk.fail(undefined);
        const { items } = await store.list({ group: 'dtkd.dev', plural: 'resources' });
        expect(new Set(items.map((one) => one.metadata.name))).toEqual(new Set(state.resources.keys()));
        for (const name of state.resources.keys()) {
          const children = [...state.resources].filter(([, one]) => one.parents?.includes(name) === true);
          const found = await store.find({
            group: 'dtkd.dev',
            plural: 'resources',
            namespace: NODE,
            path: 'spec.parents',
            value: name,
            limit: 100,
          });
          expect(found.map((one) => one.name)).toEqual(children.map(([child]) => child).sort());
          const row = await store.kv.get(`n/c/${name}`);
          const counted: Record<string, number> = row === undefined ? {} : JSON.parse(Buffer.from(row).toString());
          const counts: Record<string, number> = {};
          for (const [, { type }] of children) counts[type.toLowerCase()] = (counts[type.toLowerCase()] ?? 0) + 1;
          expect(counted).toEqual(counts);
        }
        await store.close();
      }),
      { numRuns: 150 },
    );
  });
});
