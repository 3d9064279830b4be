import { describe, expect, test } from 'vitest';
import { selectionOf } from '../../daemon/src/store/selection.ts';
import { service } from './fixtures.ts';

const services = { group: '', plural: 'services' };
const covers = (query: Parameters<typeof selectionOf>[0], namespace: string) =>
  selectionOf(query).covers({ ...services, namespace, name: 'a' });

describe('selectionOf', () => {
  test('tells ranges apart, each time anew', () => {
    for (let round = 0; round < 2; round += 1) {
      expect(covers({ ...services, namespace: 'a' }, 'a')).toBe(true);
      expect(covers({ ...services, namespace: 'a' }, 'b')).toBe(false);
      expect(covers(services, 'b')).toBe(true);
      expect(covers({ group: '', plural: 'endpoints' }, 'b')).toBe(false);
      expect(selectionOf({ ...services, namespace: '' }).gte).not.toBe(selectionOf(services).gte);
    }
  });

  test('does not take one with selectors for the range that it is in', () => {
    const object = service('a', { labels: { tier: 'front' } });
    expect(selectionOf(services).matches(object)).toBe(true);
    expect(selectionOf({ ...services, labelSelector: 'tier=back' }).matches(object)).toBe(false);
    expect(selectionOf({ ...services, fieldSelector: 'metadata.name=b' }).matches(object)).toBe(false);
    expect(selectionOf({ ...services, where: 'name=b' }).wholeRange).toBe(false);
    expect(selectionOf(services).wholeRange).toBe(true);
  });

  test('refuses what can be no part of a name, however often', () => {
    for (let round = 0; round < 2; round += 1) {
      expect(() => selectionOf({ ...services, namespace: 'a/b' })).toThrow('cannot be part');
    }
  });

  test('finds very many ranges', () => {
    for (let index = 0; index < 1_000; index += 1) expect(covers({ ...services, namespace: `n${index}` }, `n${index}`)).toBe(true);
  });
});
