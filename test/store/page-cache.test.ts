import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PageCache, type PageKey } from '../../daemon/src/store/page-cache.ts';

const ref = (plural: string) => ({ group: 'g', plural, namespace: 'n', name: 'a' });
const keyOf = (plural: string, limit = 10, after?: string): PageKey => ({
  selection: { prefix: `o/g/${plural}/`, gte: `o/g/${plural}/`, lt: `o/g/${plural}/\x7f` },
  limit,
  after,
});
const pageOf = (text: string) => ({ items: [Buffer.from(text)] });

describe('PageCache', () => {
  test('shows a page until something of its kind changes', () => {
    const cache = new PageCache(5);
    const page = pageOf('a');
    cache.keep(5, keyOf('x'), page);
    expect(cache.at(5, keyOf('x'))).toEqual({ ...page, resourceVersion: '5' });
    cache.changed({ ref: ref('y'), version: 6 });
    expect(cache.at(6, keyOf('x'))).toEqual({ ...page, resourceVersion: '6' });
    cache.changed({ ref: ref('x'), version: 7 });
    expect(cache.at(7, keyOf('x'))).toBeUndefined();
  });

  test('does not show what is newer than the version asked for, nor keep what was read before a change', () => {
    const cache = new PageCache(5);
    cache.changed({ ref: ref('x'), version: 6 });
    cache.keep(5, keyOf('x'), pageOf('old'));
    expect(cache.at(6, keyOf('x'))).toBeUndefined();
    cache.keep(6, keyOf('x'), pageOf('new'));
    expect(cache.at(5, keyOf('x'))).toBeUndefined();
    expect(cache.at(6, keyOf('x'))?.items.map(String)).toEqual(['new']);
  });

  test('gives the very same page as long as the version is the same', () => {
    const cache = new PageCache(5);
    cache.keep(5, keyOf('x'), { ...pageOf('a'), after: 'n!a' });
    const shown = cache.at(5, keyOf('x'));
    expect(cache.at(5, keyOf('x'))).toBe(shown);
    cache.changed({ ref: ref('y'), version: 6 });
    const later = cache.at(6, keyOf('x'));
    expect(later?.items).toBe(shown?.items);
    expect(later?.continue).not.toBe(shown?.continue);
  });

  test('tells pages apart by their limit and where they begin', () => {
    const cache = new PageCache(1);
    cache.keep(1, keyOf('x', 10), pageOf('a'));
    expect(cache.at(1, keyOf('x', 11))).toBeUndefined();
    expect(cache.at(1, keyOf('x', 10, 'n!a'))).toBeUndefined();
  });

  test('keeps within its bytes, and what was used last', () => {
    const cache = new PageCache(1, 1_000);
    for (const after of ['a', 'b']) cache.keep(1, keyOf('x', 1, after), pageOf('.'.repeat(10)));
    expect(cache.at(1, keyOf('x', 1, 'a'))).toBeDefined();
    cache.keep(1, keyOf('x', 1, 'c'), pageOf('.'.repeat(10)));
    expect(cache.at(1, keyOf('x', 1, 'b'))).toBeUndefined();
    expect(cache.at(1, keyOf('x', 1, 'a'))).toBeDefined();
    cache.keep(1, keyOf('x', 1, 'd'), pageOf('.'.repeat(2_000)));
    expect(cache.at(1, keyOf('x', 1, 'd'))).toBeUndefined();
  });

  test('has room for the list that is made of a page, too', () => {
    const cache = new PageCache(1, 1_000);
    cache.keep(1, keyOf('x', 1, 'a'), pageOf('.'.repeat(250)));
    expect(cache.at(1, keyOf('x', 1, 'a'))).toBeDefined();
    cache.keep(1, keyOf('x', 1, 'b'), pageOf('.'.repeat(400)));
    expect(cache.at(1, keyOf('x', 1, 'b'))).toBeUndefined();
  });

  test('never shows a page of another state, whatever happens', () => {
    const step = fc.record({ kind: fc.constantFrom('x', 'y'), what: fc.constantFrom('change', 'keep', 'look'), back: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const cache = new PageCache(0, 2_000);
        const changes = new Map<string, number[]>();
        /** What a list of the kind shows at a version: how many changes there had been. */
        const truth = (kind: string, version: number) => String((changes.get(kind) ?? []).filter((at) => at <= version).length);
        let version = 0;
        for (const { kind, what, back } of steps) {
          const at = Math.max(0, version - back);
          if (what === 'change') {
            version += 1;
            changes.set(kind, [...(changes.get(kind) ?? []), version]);
            cache.changed({ ref: ref(kind), version });
          } else if (what === 'keep') {
            cache.keep(at, keyOf(kind), pageOf(truth(kind, at)));
          } else {
            const shown = cache.at(at, keyOf(kind));
            if (shown !== undefined) expect(shown.items.map(String)).toEqual([truth(kind, at)]);
          }
        }
      }),
    );
  });
});
