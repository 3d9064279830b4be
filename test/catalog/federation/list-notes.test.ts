import { describe, expect, it } from 'vitest';
import { ListNotes } from '../../../daemon/src/catalog/federation/cache/list-notes.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { Nodes } from './nodes.ts';

const VIEW = { asker: 'a', group: 'dtkd.dev', plural: 'models' };
const NOTE = new Map([['peer', 'absent' as const]]);

describe('notes of lists', () => {
  it('are forgotten from the oldest list on, in whatever order lists end, and stay so over a start', async () => {
    const kv = memoryKv();
    const notes = await ListNotes.open(kv, VIEW);
    const add = async (version: number) => kv.batch(notes.add(version, NOTE), { sync: false });
    // a list in pages ends after one that began later
    for (const version of [1_000, 10]) await add(version);
    for (let version = 1_001; version < 1_256; version++) await add(version);
    for (const known of [notes, await ListNotes.open(kv, VIEW)]) {
      expect(() => known.of(10)).toThrow('no longer');
      expect(known.of(1_000)).toEqual(NOTE);
      expect(known.of(1_255)).toEqual(NOTE);
    }
    // what is forgotten is not noted again
    await add(5);
    for (const known of [notes, await ListNotes.open(kv, VIEW)]) {
      expect(() => known.of(5)).toThrow('no longer');
      expect(known.of(1_000)).toEqual(NOTE);
    }
  });
});

describe('a list in pages', () => {
  it('is not noted for a node that is known to be away, and shown as it was last', async () => {
    const nodes = await Nodes.open(1);
    try {
      const [node] = nodes.others;
      await node?.put('a');
      await nodes.page({ stale: true });
      if (node !== undefined) node.mood = 'away';
      await nodes.page({ stale: true });
      const pages = [await nodes.page({ limit: 5, stale: true }), await nodes.page({ limit: 5, stale: true })];
      expect(pages.map(({ completeness }) => completeness)).toMatchObject([[{ state: 'stale' }], [{ state: 'stale' }]]);
      expect(await nodes.kv.page({ gte: 'f/n/', lt: 'f/n0' })).toEqual([]);
    } finally {
      await nodes.close();
    }
  });
});
