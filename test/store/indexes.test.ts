import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketsOf, indexRulesOf, MAX_RECORD_ENTRIES } from '../../daemon/src/store/indexes/index-entries.ts';
import { INDEXES_KEY, objectKey, refOf, rowName } from '../../daemon/src/store/keys.ts';
import type { Kv } from '../../daemon/src/store/kv.ts';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { IndexQuery, ListQuery } from '../../daemon/src/store/object-store.types.ts';
import { encodeObjectRow } from '../../daemon/src/store/rows.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { resourceKind } from '../../protocol/kinds/resource.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { matchesLabels, parseLabelSelector } from '../../protocol/objects/selectors.ts';
import { CREATOR_ANNOTATION } from '../../protocol/rights/principal.ts';
import { objectPath, scalarsAt } from '../../protocol/where/path.ts';
import { matchesWhere, parseWhere } from '../../protocol/where/where.ts';
import { controlledKv, KV_IMPLEMENTATIONS, NODE } from './fixtures.ts';
import { memoryKv } from './memory-kv.ts';

const RESOURCES = { group: 'dtkd.dev', plural: 'resources' } as const;
const LONG = 'long'.repeat(40);

interface ResourceInput {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  creator?: string;
  spec?: Record<string, unknown>;
}

function resource({ name, namespace = NODE, labels, creator, spec }: ResourceInput): ApiObject {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Resource',
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(labels === undefined ? {} : { labels }),
      ...(creator === undefined ? {} : { annotations: { [CREATOR_ANNOTATION]: creator } }),
    },
    spec: { model: 'web', type: 'Service', ...spec },
  };
}

const refOfName = (name: string, namespace = NODE) => ({ ...RESOURCES, namespace, name });

/** Everything that is indexed, as the objects say and as the database has it. */
async function indexRows(kv: Kv): Promise<{ wanted: string[]; stored: string[] }> {
  const rules = indexRulesOf(RESOURCES.group, RESOURCES.plural);
  if (rules === undefined) throw new Error('resources are not indexed');
  const objects = await kv.page({ gte: 'o/dtkd.dev/resources/', lt: 'o/dtkd.dev/resources0', limit: 10_000 });
  const wanted = objects.flatMap(([key, row]) => {
    const object: ApiObject = JSON.parse(Buffer.from(row.subarray(1)).toString());
    return [...bucketsOf(rules, object)].map((bucket) => bucket + key.slice('o/dtkd.dev/resources/'.length));
  });
  const stored = await kv.page({ gte: 'x/', lt: 'x0', limit: 100_000 });
  return { wanted: wanted.sort(), stored: stored.map(([key]) => key).sort() };
}

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const scalar = fc.oneof(
  fc.constantFrom<string | number | boolean>(
    'a',
    'b',
    'ab',
    '',
    '1',
    'true',
    1,
    2,
    -1,
    0.5,
    true,
    false,
    LONG,
    `${LONG}x`,
    LONG.slice(0, 64),
    '\ud800',
    '\ufffd',
    '😀',
  ),
);
const value = fc.oneof(
  { weight: 5, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.dictionary(fc.constantFrom('x', 'y'), scalar, { maxKeys: 2 }) },
  { weight: 1, arbitrary: fc.constant(null) },
);
const many = Object.fromEntries(Array.from({ length: MAX_RECORD_ENTRIES + 1 }, (_, index) => [`p${index}`, index]));
const input = fc.record(
  {
    name,
    namespace: fc.constantFrom(NODE, 'node1'),
    labels: fc.dictionary(fc.constantFrom('tier', 'zone', 'dtkd.dev/x'), fc.constantFrom('a', 'b', '1', ''), { maxKeys: 2 }),
    creator: fc.constantFrom('ops/1@self', 'dev/2@self'),
    spec: fc.record(
      {
        type: fc.constantFrom('Service', 'service', 'Package'),
        name: fc.constantFrom('a', 'x'),
        parents: fc.array(fc.constantFrom('a', 'b', 'node/node0'), { maxLength: 2 }),
        properties: fc.oneof(
          { weight: 6, arbitrary: fc.dictionary(fc.constantFrom('x', 'y', 'x.y'), value, { maxKeys: 3 }) },
          { weight: 1, arbitrary: fc.constant({ ...many, x: 'a' }) },
        ),
      },
      { requiredKeys: ['type'] },
    ),
  },
  { requiredKeys: ['name', 'namespace', 'spec'] },
);
const act = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant('put' as const),
      input,
      origin: fc.constantFrom('own' as const, 'replica' as const, 'projection' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('delete' as const), name, namespace: fc.constantFrom(NODE, 'node1') }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('throw' as const) }) },
);
const round = fc.record({
  transactions: fc.array(fc.array(act, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
  diskFull: fc.boolean(),
  restart: fc.boolean(),
});

const paths = [
  'metadata.labels.tier',
  'spec.type',
  'spec.name',
  'spec.parents',
  'spec.properties.x',
  'spec.properties.x.y',
  `metadata.annotations.${CREATOR_ANNOTATION}`,
];
const question = fc.record({
  path: fc.constantFrom(...paths),
  value: fc.oneof(scalar, fc.constantFrom('service', 'node/node0', 'ops/1@self')),
  limit: fc.integer({ min: 1, max: 4 }),
});

const literal = fc.constantFrom('a', 'b', '1', '2', "'1'", 'true', '0.5', `'${LONG}'`, "''", 'service');
const comparison = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(
        'type',
        'name',
        'parent',
        'labels.tier',
        'labels.dtkd.dev/x',
        'properties.x',
        'properties.x.y',
        'properties.p7',
        'spec.model',
        'metadata.uid',
      ),
      fc.oneof(
        fc
          .tuple(fc.constantFrom('=', '!=', ' in (a,', ' not in (1,'), literal)
          .map(([op, text]) => (op.includes('(') ? `${op}${text})` : op + text)),
        fc
          .tuple(fc.constantFrom('<', '<=', '>', '>='), fc.constantFrom('a', '1', '2', "'1'", '0', `'${LONG}'`))
          .map((parts) => parts.join('')),
        fc.constantFrom(" like 'a*'", " like '*b'", " like 'long*'", " not like '?'"),
      ),
    )
    .map((parts) => parts.join('')),
  fc.constantFrom('has labels.tier', 'has properties.x', 'has properties.y', 'has spec.parents', 'has properties'),
);
const where = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison,
    fc.tuple(tie('expression'), fc.constantFrom('and', 'or'), tie('expression')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    tie('expression').map((inner) => `not (${inner})`),
  ),
})).expression;
const labelSelector = fc.constantFrom('', 'tier=a', 'tier in (a,b),zone', '!tier', 'tier!=a', 'dtkd.dev/x=1');

function bruteFind(objects: readonly ApiObject[], { namespace, path, value: wanted, limit }: IndexQuery): string[] {
  const objectsPath = objectPath(path, resourceKind);
  const fold = (each: unknown) => (typeof each === 'string' ? (objectsPath.caseless ? each.toLowerCase() : each).toWellFormed() : each);
  return objects
    .filter(
      (object) => object.metadata.namespace === namespace && scalarsAt(object, objectsPath).some((found) => fold(found) === fold(wanted)),
    )
    .map((object) => object.metadata.name)
    .sort()
    .slice(0, limit);
}

async function walk(store: LocalStore, query: ListQuery): Promise<ApiObject[]> {
  const items: ApiObject[] = [];
  let next: string | undefined;
  do {
    const page = await store.list({ ...query, ...(next === undefined ? {} : { continue: next }) });
    items.push(...page.items);
    next = page.continue;
  } while (next !== undefined);
  return items;
}

describe.each(KV_IMPLEMENTATIONS)('indexes over $name', ({ name: kind, open }) => {
  it('are what the objects say, whatever happened', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { maxLength: 5 }), fc.array(question, { maxLength: 4 }), async (rounds, questions) => {
        const { kv, clean } = await open();
        const control = controlledKv(kv);
        let store = await openObjectStore({ kv: control.kv, node: NODE });
        for (const { transactions, diskFull, restart } of rounds) {
          if (diskFull) control.fail(new DtkdError('DISK_FULL', 'full'));
          await Promise.allSettled(
            transactions.map((acts) =>
              store.transact(async (tx) => {
                for (const step of acts) {
                  if (step.act === 'throw') throw new DtkdError('FORBIDDEN', 'no');
                  if (step.act === 'put') await tx.put(resource(step.input as ResourceInput), { origin: step.origin });
                  else await tx.delete(refOfName(step.name, step.namespace));
                }
              }),
            ),
          );
          control.fail(undefined);
          // what is thrown or refused by the disk leaves nothing; and a store that is opened again has the same
          if (restart) store = await openObjectStore({ kv: control.kv, node: NODE });
        }
        const { wanted, stored } = await indexRows(kv);
        expect(stored).toEqual(wanted);
        const { items } = await store.list(RESOURCES);
        for (const each of questions) {
          const query = { ...RESOURCES, namespace: NODE, ...each };
          expect((await store.find(query)).map((ref) => ref.name)).toEqual(bruteFind(items, query));
        }
        await store.close();
        await clean();
      }),
      { numRuns: kind === 'memory' ? 100 : 10 },
    );
  });

  it('find what stands at a path as it is read, where a key has the text of a path', async () => {
    const { kv, clean } = await open();
    const store = await openObjectStore({ kv, node: NODE });
    const both = { type: 'Service', properties: { 'x.y': {}, x: { y: 'a' } } };
    const one = { type: 'Service', properties: { x: { y: 'a' } } };
    await store.transact(async (tx) => {
      await tx.put(resource({ name: 'both', spec: both }));
      await tx.put(resource({ name: 'one', spec: one }));
    });
    const found = await store.find({ ...RESOURCES, namespace: NODE, path: 'spec.properties.x.y', value: 'a', limit: 4 });
    expect(found.map((ref) => ref.name)).toEqual(['one']);
    await store.close();
    await clean();
  });

  it('are seen by a transaction as it has changed them, with what is queued before it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(act, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
        fc.array(question, { minLength: 1, maxLength: 4 }),
        async (transactions, questions) => {
          const { kv, clean } = await open();
          const store = await openObjectStore({ kv, node: NODE });
          const objects = new Map<string, ApiObject>();
          await Promise.allSettled(
            transactions.map((acts) =>
              store.transact(async (tx) => {
                const before = new Map(objects);
                for (const step of acts) {
                  if (step.act === 'throw') {
                    objects.clear();
                    for (const [key, object] of before) objects.set(key, object);
                    throw new DtkdError('FORBIDDEN', 'no');
                  }
                  if (step.act === 'put') {
                    const object = resource(step.input as ResourceInput);
                    objects.set(objectKey(refOf(object)), await tx.put(object, { origin: step.origin }));
                  } else {
                    await tx.delete(refOfName(step.name, step.namespace));
                    objects.delete(objectKey(refOfName(step.name, step.namespace)));
                  }
                  for (const each of questions) {
                    const query = { ...RESOURCES, namespace: NODE, ...each };
                    expect((await tx.find(query)).map((ref) => ref.name)).toEqual(bruteFind([...objects.values()], query));
                  }
                }
              }),
            ),
          ).then((results) => {
            for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'FORBIDDEN' });
          });
          await store.close();
          await clean();
        },
      ),
      { numRuns: kind === 'memory' ? 100 : 8 },
    );
  });

  it('lead lists to exactly what looking at each object finds, page by page', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(input, { maxLength: 40 }),
        fc.array(
          fc.record({
            where,
            labelSelector,
            limit: fc.integer({ min: 0, max: 4 }),
            namespace: fc.option(fc.constantFrom(NODE, 'node1'), { nil: undefined }),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        async (inputs, queries) => {
          const { kv, clean } = await open();
          const store = await openObjectStore({ kv, node: NODE });
          await store.transact(async (tx) => {
            for (const [index, each] of inputs.entries())
              await tx.put(resource({ ...(each as ResourceInput), name: `${each.name}${index}` }));
          });
          const all = (await store.list(RESOURCES)).items;
          for (const { where: text, labelSelector: labels, limit, namespace } of queries) {
            const parsed = parseWhere(text, resourceKind);
            const expected = all.filter(
              (object) =>
                (namespace === undefined || object.metadata.namespace === namespace) &&
                matchesLabels(parseLabelSelector(labels), object.metadata.labels) &&
                matchesWhere(parsed, object),
            );
            const found = await walk(store, {
              ...RESOURCES,
              where: text,
              labelSelector: labels,
              limit,
              ...(namespace === undefined ? {} : { namespace }),
            });
            expect(found.map((object) => rowName(object.metadata.namespace ?? '', object.metadata.name))).toEqual(
              expected.map((object) => rowName(object.metadata.namespace ?? '', object.metadata.name)),
            );
          }
          await store.close();
          await clean();
        },
      ),
      { numRuns: kind === 'memory' ? 150 : 10 },
    );
  });
});

describe('a database without indexes', () => {
  it('gets them when it is opened, and once', async () => {
    const kv = memoryKv();
    const old = resource({ name: 'old', labels: { tier: 'front' }, spec: { properties: { port: 80 } } });
    await kv.batch(
      [
        { type: 'put', key: objectKey(refOf(old)), value: encodeObjectRow('own', Buffer.from(JSON.stringify(old))) },
        { type: 'put', key: 'x/dtkd.dev/resources/left\0over\0node0!old', value: new Uint8Array(0) },
      ],
      { sync: true },
    );
    const control = controlledKv(kv);
    const first = await openObjectStore({ kv: control.kv, node: NODE });
    expect(await first.find({ ...RESOURCES, namespace: NODE, path: 'spec.properties.port', value: 80, limit: 9 })).toEqual([refOf(old)]);
    const { wanted, stored } = await indexRows(kv);
    expect(stored).toEqual(wanted);
    const written = control.batches.length;
    await openObjectStore({ kv: control.kv, node: NODE });
    expect(control.batches.length).toBe(written);
  });

  it('gets them anew where they were built by other rules, or only in part', async () => {
    const kv = memoryKv();
    const store = await openObjectStore({ kv, node: NODE });
    await store.transact((tx) => tx.put(resource({ name: 'a', labels: { tier: 'front' } })));
    for (const marker of ['{}', '{"x/dtkd.dev/resources/":"other","x/gone/things/":"1"}', 'not json', '[1]']) {
      await kv.batch(
        [
          { type: 'clear', gte: 'x/', lt: 'x/dtkd.dev/resources/metadata.labels.tier\0t' },
          { type: 'put', key: 'x/gone/things/a\0b\0c', value: new Uint8Array(0) },
          { type: 'put', key: INDEXES_KEY, value: Buffer.from(marker) },
        ],
        { sync: true },
      );
      await openObjectStore({ kv, node: NODE });
      const { wanted, stored } = await indexRows(kv);
      expect(stored.filter((key) => !key.startsWith('x/gone/'))).toEqual(wanted);
    }
  });
});

describe('a query', () => {
  /** Counts the rows that are read with their values. */
  function counting(below: Kv) {
    const count = { rows: 0, keys: 0 };
    const kv: Kv = {
      ...controlledKv(below).kv,
      snapshot() {
        const snapshot = below.snapshot();
        return {
          close: () => snapshot.close(),
          async page(range) {
            const rows = await snapshot.page(range);
            count[range.keysOnly === true ? 'keys' : 'rows'] += rows.length;
            return rows;
          },
          async getMany(keys) {
            count.rows += keys.length;
            return snapshot.getMany(keys);
          },
        };
      },
    };
    return { kv, count };
  }

  async function filled(total: number) {
    const { kv, count } = counting(memoryKv());
    const store = await openObjectStore({ kv, node: NODE });
    await store.transact(async (tx) => {
      for (let index = 0; index < total; index += 1) {
        const id = String(index).padStart(5, '0');
        await tx.put(
          resource({
            name: `r-${id}`,
            labels: { tier: index % 500 === 0 ? 'rare' : 'common' },
            spec: { type: index % 2 === 0 ? 'Service' : 'Package', properties: { port: index, host: `host-${id}` } },
          }),
        );
      }
    });
    return { store, count };
  }

  it('costs as much as its answer, not as the store', async () => {
    const { store, count } = await filled(5_000);
    for (const [query, size] of [
      [{ labelSelector: 'tier=rare' }, 10],
      [{ where: 'properties.port=77' }, 1],
      [{ where: 'properties.port>4990 and type=Package' }, 5],
      [{ where: "properties.host like 'host-0001*'" }, 10],
      [{ where: 'properties.port in (1,2,3) or properties.port<3' }, 4],
      [{ where: 'type=Service and labels.tier=rare', fieldSelector: 'spec.model=web' }, 10],
      [{ fieldSelector: 'spec.name=r-00017' }, 0],
      [{ where: 'name=r-00017' }, 1],
    ] satisfies [Partial<ListQuery>, number][]) {
      count.rows = 0;
      const { items } = await store.list({ ...RESOURCES, ...query });
      expect(items.length).toBe(size);
      expect(count.rows).toBeLessThanOrEqual(20);
    }
  });

  it('reads the rows in turn where an index would give a good part of them all', async () => {
    const { store, count } = await filled(5_000);
    count.rows = 0;
    count.keys = 0;
    const { items } = await store.list({ ...RESOURCES, where: 'type=Service', limit: 100 });
    expect(items.length).toBe(100);
    expect(count.rows).toBeLessThanOrEqual(1_000);
    expect(count.keys).toBeLessThanOrEqual(10_000);
  });

  it('is filtered row by row, before the limit counts', async () => {
    const { store } = await filled(1_000);
    const shown: string[] = [];
    let next: string | undefined;
    do {
      const page = await store.listRaw(
        { ...RESOURCES, where: 'properties.port>=100', limit: 7, ...(next === undefined ? {} : { continue: next }) },
        {
          filter: (object) => {
            const id = Number(object.metadata.name.slice(2));
            if (id % 10 !== 0) return undefined;
            return id % 20 === 0 ? object : { apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata };
          },
        },
      );
      expect(page.items.length).toBeLessThanOrEqual(7);
      if (page.continue !== undefined) expect(page.items.length).toBe(7);
      for (const json of page.items) {
        const object: ApiObject = JSON.parse(Buffer.from(json).toString());
        const id = Number(object.metadata.name.slice(2));
        expect(object['spec'] === undefined).toBe(id % 20 !== 0);
        shown.push(object.metadata.name);
      }
      next = page.continue;
    } while (next !== undefined);
    expect(shown).toEqual(Array.from({ length: 90 }, (_, index) => `r-${String(100 + index * 10).padStart(5, '0')}`));
  });

  it('refuses to find by what is not indexed', async () => {
    const { store } = await filled(1);
    await expect(store.find({ ...RESOURCES, namespace: NODE, path: 'spec.description', value: 'x', limit: 1 })).rejects.toMatchObject({
      code: 'INTERNAL',
    });
  });
});
