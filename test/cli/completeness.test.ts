import { expect, it } from 'vitest';
import { Completeness } from '../../cli/output/completeness.ts';

function gathered(...pages: Record<string, unknown>[][]): Completeness {
  const completeness = new Completeness();
  for (const statements of pages) completeness.add({ metadata: { completeness: statements } });
  return completeness;
}

it('says nothing where all answered', () => {
  const all = gathered([{ node: 'a', state: 'answered' }], [{ node: 'b', state: 'answered' }]);
  expect(all.lines()).toEqual([]);
  expect(all.complete).toBe(true);
  expect(gathered([]).complete).toBe(true);
});

it('says once what holds for several nodes', () => {
  const some = gathered([
    { node: 'a', state: 'denied', reason: 'no' },
    { node: 'b', state: 'denied', reason: 'no' },
    { node: 'c', state: 'unreachable', reason: 'no answer within 2 s' },
  ]);
  expect(some.lines()).toHaveLength(2);
  expect(some.lines()[0]).toContain('a, b');
  expect(some.complete).toBe(false);
});

it('takes a denial for an answer, and goes by the last word about a node', () => {
  expect(gathered([{ node: 'a', state: 'denied' }]).complete).toBe(true);
  expect(gathered([{ node: 'a', state: 'unreachable' }], [{ node: 'a', state: 'answered' }]).complete).toBe(true);
});

it('takes nodes that were not asked for missing, and keeps why', () => {
  const unasked = gathered([{ node: 'a', state: 'unasked', reason: 'no user' }], [{ node: 'a', state: 'unasked', reason: 'as before' }]);
  expect(unasked.complete).toBe(false);
  expect(unasked.lines()).toEqual(['a was not asked: no user']);
  expect(unasked.metadata.completeness).toHaveLength(1);
});

it('tells what is known of one node from what is not', () => {
  const of = (state: string) => gathered([{ node: 'a', state }]);
  for (const state of ['answered', 'denied', 'stale']) expect(() => of(state).assertHeard('a', 'models')).not.toThrow();
  for (const [state, code] of [
    ['unasked', 'FORBIDDEN'],
    ['unreachable', 'PEER_AWAY'],
  ] as const) {
    expect(() => of(state).assertHeard('a', 'models')).toThrow(expect.objectContaining({ code }));
  }
  expect(() => of('answered').assertAll('a', 'models')).not.toThrow();
  for (const state of ['denied', 'stale', 'unreachable', 'unasked']) expect(() => of(state).assertAll('a', 'models')).toThrow('models');
});

it('lets no node write to the terminal', () => {
  const hostile = gathered([{ node: 'a', state: 'unreachable', reason: '\u001b[2Jgone' }]);
  expect(hostile.lines().join('')).not.toContain('\u001b');
});
