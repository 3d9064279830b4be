import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalog, model, OPERATOR, ref, resource, write } from './fixtures.ts';

/** Each resource may have parents among those before it. */
const parents = fc.array(fc.uniqueArray(fc.nat({ max: 20 }), { maxLength: 3 }), { minLength: 1, maxLength: 12 });

describe('a deletion with dependents', () => {
  it('takes exactly what would be left without a parent', async () => {
    await fc.assert(
      fc.asyncProperty(parents, fc.nat({ max: 20 }), async (numbers, pick) => {
        const { store, catalog: made } = await catalog();
        const graph = new Map(
          numbers.map((list, index) => [`r${index}`, [...new Set(list.filter((one) => one < index))].map((one) => `r${one}`)]),
        );
        await write(store, model('web'), ...[...graph].map(([name, above]) => resource(name, { type: 'Site', parents: above })));
        const root = await store.get(ref('Resource', `r${pick % graph.size}`));
        if (root === undefined) return expect.unreachable();
        const gone = new Set([root.metadata.name]);
        // those before have no parents after them, so one pass finds all
        for (const [name, above] of graph) if (above.length > 0 && above.every((one) => gone.has(one))) gone.add(name);
        const context = { principal: OPERATOR, dryRun: false, cascade: true, warn: () => undefined };
        await made.handlers.get('dtkd.dev/resources')?.delete?.(root, context);
        const { items } = await store.list({ group: 'dtkd.dev', plural: 'resources' });
        const left = new Map(items.map((one) => [one.metadata.name, Reflect.get(Object(one['spec']), 'parents')]));
        const expected = [...graph]
          .filter(([name]) => !gone.has(name))
          .map(([name, above]) => [name, above.filter((one) => !gone.has(one))] as const);
        expect(left).toEqual(new Map(expected));
        await store.close();
      }),
      { numRuns: 40 },
    );
  });
});
