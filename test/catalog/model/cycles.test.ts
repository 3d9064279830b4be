import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Above, forbiddenCycle } from '../../../daemon/src/catalog/model/cycles.ts';

const node = fc.integer({ min: 0, max: 7 }).map((number) => `r${number}`);
const graph = fc.dictionary(node, fc.record({ parents: fc.uniqueArray(node, { maxLength: 4 }), cycles: fc.boolean() }));

/** Everything above a resource, by walking. */
function ancestors(of: Record<string, Above>, name: string): Set<string> {
  const seen = new Set<string>();
  const waiting = [...(of[name]?.parents ?? [])];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    waiting.push(...(of[at]?.parents ?? []));
  }
  return seen;
}

describe('the search for cycles', () => {
  it('finds one exactly where a resource that may not be its own ancestor is', async () => {
    await fc.assert(
      fc.asyncProperty(graph, fc.uniqueArray(node, { minLength: 1, maxLength: 3 }), async (of, starts) => {
        const above = new Set(starts.flatMap((start) => [start, ...ancestors(of, start)]));
        const wrong = [...above].filter((name) => of[name]?.cycles === false && ancestors(of, name).has(name));
        const found = await forbiddenCycle(starts, async (name) => of[name], 1000);
        if (!Array.isArray(found)) {
          expect([wrong, found]).toEqual([[], undefined]);
          return;
        }
        expect(wrong).toContain(found[0]);
        expect(found.at(-1)).toBe(found[0]);
        for (const [index, name] of found.slice(0, -1).entries()) expect(of[name]?.parents).toContain(found[index + 1]);
      }),
    );
  });

  it('walks long chains without recursion, and no further than it is told', async () => {
    const chain = async (name: string): Promise<Above> => ({
      parents: name === 'n50000' ? [] : [`n${Number(name.slice(1)) + 1}`],
      cycles: false,
    });
    expect(await forbiddenCycle(['n0'], chain, 100_000)).toBeUndefined();
    expect(await forbiddenCycle(['n0'], chain, 1_000)).toBe('too many');
  });
});
