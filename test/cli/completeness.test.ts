import { expect, it } from 'vitest';
import { Completeness } from '../../cli/output/completeness.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');

function gathered(...pages: Record<string, unknown>[][]): Completeness {
  const completeness = new Completeness();
  for (const statements of pages) completeness.add({ metadata: { completeness: statements } });
  return completeness;
}

it('says nothing where all answered', () => {
  const all = gathered([{ node: 'a', state: 'answered' }], [{ node: 'b', state: 'answered' }]);
  expect(all.lines(NOW)).toEqual([]);
  expect(all.complete).toBe(true);
  expect(gathered([]).complete).toBe(true);
});

it('says once what holds for several nodes, and how old stale rows are', () => {
  const some = gathered([
    { node: 'a', state: 'denied', reason: 'no' },
    { node: 'b', state: 'denied', reason: 'no' },
    { node: 'c', state: 'unreachable', reason: 'no answer within 2 s' },
    { node: 'd', state: 'stale', since: '2026-01-01T00:00:00Z' },
  ]);
  expect(some.lines(NOW)).toEqual(['a, b: denied: no', 'c: unreachable: no answer within 2 s', 'd: stale (as of 60m ago)']);
  expect(some.complete).toBe(false);
});

it('goes by the last word about a node', () => {
  expect(gathered([{ node: 'a', state: 'unreachable' }], [{ node: 'a', state: 'answered' }]).complete).toBe(true);
});

it('lets no node write to the terminal', () => {
  expect(gathered([{ node: 'a', state: 'unreachable', reason: '\u001b[2Jgone' }]).lines(NOW).join('')).not.toContain('\u001b');
});
