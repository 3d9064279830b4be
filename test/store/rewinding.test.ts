import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { NODE, SERVICES, service, serviceRef } from './fixtures.ts';
import { memoryKv } from './memory-kv.ts';

type Change = { name: string; tier: 'front' | 'back' } | { gone: string };

const name = fc.constantFrom(...Array.from('abcdefgh'));
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ name, tier: fc.constantFrom('front' as const, 'back' as const) }) },
  { weight: 1, arbitrary: fc.record({ gone: name }) },
);

async function make(store: LocalStore, one: Change): Promise<void> {
  if ('gone' in one) await store.transact((tx) => tx.delete(serviceRef(one.gone)));
  else {
    await store.transact(async (tx) => {
      const { metadata } = (await tx.get(serviceRef(one.name))) ?? service(one.name);
      await tx.put({ ...service(one.name), metadata: { ...metadata, labels: { tier: one.tier } } });
    });
  }
}

async function pages(store: LocalStore, query: object, between: readonly Change[]): Promise<{ items: ApiObject[]; versions: Set<string> }> {
  const items: ApiObject[] = [];
  const versions = new Set<string>();
  const rest = [...between];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const page = await store.list({ ...SERVICES, ...query, limit: 2, ...(next === '' ? {} : { continue: next }) });
    items.push(...page.items);
    versions.add(page.resourceVersion);
    next = page.continue;
    for (const one of rest.splice(0, 3)) await make(store, one);
  }
  return { items, versions };
}

it.each([{}, { labelSelector: 'tier=front' }])('all pages of a list show one state, whatever happens between them: %j', async (query) => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 15 }), fc.array(change, { maxLength: 15 }), async (before, between) => {
      const store = await openObjectStore({ kv: memoryKv(), node: NODE });
      try {
        for (const one of before) await make(store, one);
        const whole = await store.list({ ...SERVICES, ...query });
        const { items, versions } = await pages(store, query, between);
        expect(items).toEqual(whole.items);
        expect([...versions]).toEqual([whole.resourceVersion]);
        const again = await store.list({ ...SERVICES, ...query, version: Number(whole.resourceVersion) });
        expect(again).toEqual(whole);
      } finally {
        await store.close();
      }
    }),
    { numRuns: 60 },
  );
});

it('pages go on with the present state where the change log is too short', async () => {
  const limits = { entries: 4, bytes: 1_000_000, recentBytes: 500 };
  const store = await openObjectStore({ kv: memoryKv(), node: NODE, limits });
  for (const one of ['a', 'b', 'c']) await make(store, { name: one, tier: 'front' });
  const first = await store.list({ ...SERVICES, limit: 1 });
  for (let round = 0; round < 20; round += 1) await make(store, { name: 'b', tier: round % 2 === 0 ? 'back' : 'front' });
  const second = await store.list({ ...SERVICES, limit: 1, ...(first.continue === undefined ? {} : { continue: first.continue }) });
  expect(second.items.map(({ metadata }) => metadata.resourceVersion)).toEqual([String(store.version())]);
  expect(second.resourceVersion).toBe(first.resourceVersion);
  await store.close();
});
