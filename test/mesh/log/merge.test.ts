import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contains, type History, joinLineages, related } from '../../../daemon/src/mesh/log/lineage.ts';
import { mergeStates, type Side } from '../../../daemon/src/mesh/log/merge.ts';
import type { Published } from '../../../daemon/src/mesh/log/published-object.ts';
import { MAX_LINEAGE, type Point, pointText } from '../../../protocol/log/log-entry.ts';
import { publishedApp } from './node.ts';

const at = (ms: number, seq: number): Point => ({ epoch: { ms, random: '0'.repeat(16) }, seq });
const history = (head: Point | undefined, ...lineage: Point[]): History => ({ head, lineage });
const object = (birth: Point, fields: Parameters<typeof publishedApp>[1] = {}): Published => ({
  b: pointText(birth),
  o: publishedApp('x', fields),
});
const side = (of: History, objects: Record<string, Published>): Side => ({ history: of, objects: new Map(Object.entries(objects)) });

describe('joining two states of one author', () => {
  // Epoch 1 up to entry 5 is common; then ours went on in it, theirs opened epoch 2.
  const ours = history(at(1, 9));
  const theirs = history(at(2, 3), at(1, 5));

  it('keeps what was made on either side since they parted', () => {
    const merged = mergeStates(side(ours, { a: object(at(1, 8)) }), side(theirs, { b: object(at(2, 1)) }));
    expect([...merged.keys()].sort()).toEqual(['a', 'b']);
  });

  it('takes the deletions of either side', () => {
    const both = { kept: object(at(1, 2)) };
    const merged = mergeStates(
      side(ours, { ...both, theyDeleted: object(at(1, 3)) }),
      side(theirs, { ...both, weDeleted: object(at(1, 4)) }),
    );
    expect([...merged.keys()]).toEqual(['kept']);
  });

  it('takes the newer generation, then the higher version, then theirs', () => {
    const merged = mergeStates(
      side(ours, {
        a: object(at(1, 1), { generation: 3, version: 1 }),
        b: object(at(1, 1), { generation: 2, version: 8 }),
        c: object(at(1, 1), { service: 'ours' }),
        d: object(at(1, 1), { generation: 1, version: 99 }),
      }),
      side(theirs, {
        a: object(at(1, 1), { generation: 2, version: 7 }),
        b: object(at(1, 1), { generation: 2, version: 9 }),
        c: object(at(1, 1), { service: 'theirs' }),
        d: object(at(1, 1), { generation: 2, version: 1 }),
      }),
    );
    const seen = [...merged].map(([key, { o }]) => `${key}${o.metadata.generation}/${o.metadata.resourceVersion}`);
    expect(seen).toEqual(['a3/1', 'b2/9', 'c1/1', 'd2/1']);
    expect(JSON.stringify(merged.get('c'))).toContain('theirs');
  });

  it('prefers what was made anew to what had been deleted for it, whatever the generations', () => {
    const anew = object(at(1, 8), { generation: 1, uid: 'new' });
    const old = object(at(1, 2), { generation: 7, uid: 'old' });
    expect(mergeStates(side(ours, { a: anew }), side(theirs, { a: old })).get('a')).toBe(anew);
    const theirAnew = object(at(2, 1), { generation: 1, uid: 'new' });
    expect(mergeStates(side(ours, { a: old }), side(theirs, { a: theirAnew })).get('a')).toBe(theirAnew);
  });

  it('deletes nothing where the two have no common past', () => {
    const stranger = history(at(2, 3));
    const merged = mergeStates(side(ours, { a: object(at(1, 1)) }), side(stranger, { b: object(at(2, 1)) }));
    expect([...merged.keys()].sort()).toEqual(['a', 'b']);
  });

  it('gives both sides the same objects', () => {
    const point = fc.tuple(fc.integer({ min: 1, max: 2 }), fc.nat({ max: 9 })).map(([ms, seq]) => at(ms, seq));
    const objects = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc
        .tuple(point, fc.nat({ max: 3 }), fc.nat({ max: 1000 }))
        .map(([birth, generation, version]) => object(birth, { generation, version })),
    );
    fc.assert(
      fc.property(objects, objects, (a, b) => {
        const one = mergeStates(side(ours, a), side(theirs, b));
        const other = mergeStates(side(theirs, b), side(ours, a));
        expect([...one.keys()].sort()).toEqual([...other.keys()].sort());
        for (const [key, { o }] of one) expect(o.metadata.generation).toBe(other.get(key)?.o.metadata.generation);
      }),
    );
  });
});

describe('lineages', () => {
  it('contain their head, their ancestors as far as they say, and nothing else', () => {
    const of = history(at(5, 3), at(4, 2), at(2, 7));
    expect([at(5, 3), at(5, 0), at(4, 2), at(2, 7)].map((point) => contains(of, point))).toEqual([true, true, true, true]);
    expect([at(5, 4), at(4, 3), at(3, 0), at(6, 0), at(1, 0)].map((point) => contains(of, point))).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  it('join to the latest epochs of all, each as far as any has it', () => {
    const joined = joinLineages(history(at(9, 1), at(5, 2), at(4, 4)), history(at(7, 3), at(5, 6)));
    expect(joined).toEqual([at(9, 1), at(7, 3), at(5, 6), at(4, 4)]);
  });

  it('are cut at their length, and what is older then counts as contained', () => {
    const long = Array.from({ length: 40 }, (_, index) => at(100 - index, 0));
    const lineage = joinLineages(history(at(101, 0), ...long));
    expect(lineage).toHaveLength(MAX_LINEAGE);
    expect(contains({ head: at(102, 0), lineage }, at(3, 5))).toBe(true);
    expect(contains({ head: at(102, 0), lineage }, at(90, 1))).toBe(false);
  });

  it('are related if they share an epoch', () => {
    expect(related(history(at(9, 1), at(5, 2)), history(at(7, 3), at(5, 6)))).toBe(true);
    expect(related(history(at(9, 1), at(5, 2)), history(at(7, 3), at(4, 6)))).toBe(false);
    expect(related(history(undefined), history(at(7, 3)))).toBe(false);
  });
});
