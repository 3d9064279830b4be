/** What a power cut takes of what is kept: batches that were not synced, from the last one back. */
import { expect, test } from 'vitest';
import { Journal } from '../../../daemon/src/catalog/federation/cache/journal.ts';
import { KeptView } from '../../../daemon/src/catalog/federation/cache/kept-view.ts';
import type { Kv, KvOp } from '../../../daemon/src/store/kv.ts';
import { parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { memoryKv } from '../../store/memory-kv.ts';

const VIEW = { asker: 'a', group: 'dtkd.dev', plural: 'models' };
const PEER = {
  domain: parseDomainId('d'.repeat(64)),
  key: parsePeerKey('1'.repeat(64)),
  namespace: 'node1',
  reachable: true,
  suspended: false,
};

test('versions of what it took are no places to go on from', async () => {
  const before = memoryKv();
  const batches: (readonly KvOp[])[] = [];
  let synced = 0;
  const kv: Kv = {
    ...before,
    batch: async (ops, options) => {
      await before.batch(ops, options);
      batches.push(ops);
      if (options.sync) synced = batches.length;
    },
  };
  const journal = await Journal.open(kv);
  const kept = await KeptView.open(kv, journal, VIEW, () => []);
  await kept.upsert(PEER, [{ name: 'a', json: '{}' }]);
  await kv.batch([], { sync: true });
  await kept.upsert(PEER, [{ name: 'b', json: '{}' }]);
  const version = await kept.stampList(1);
  const after = memoryKv();
  for (const ops of batches.slice(0, synced)) await after.batch(ops, { sync: true });
  const journalAfter = await Journal.open(after);
  const again = await KeptView.open(after, journalAfter, VIEW, () => []);
  expect((await again.rows(PEER.key, '')).map(({ name }) => name)).toEqual(['a']);
  expect(() => again.assertKept(version)).toThrow('no longer');
  const later = await again.stampList(1);
  // nor does it bring them back that this process ends in order, and the next one too
  await again.close();
  await journalAfter.close();
  for (const end of [true, true, false]) {
    const third = await Journal.open(after);
    const view = await KeptView.open(after, third, VIEW, () => []);
    view.assertKept(later);
    expect(() => view.assertKept(version)).toThrow('no longer');
    if (end) await third.close();
  }
  // who ends in order loses nothing
  await kept.close();
  await journal.close();
  const next = await KeptView.open(kv, await Journal.open(kv), VIEW, () => []);
  next.assertKept(version);
});
