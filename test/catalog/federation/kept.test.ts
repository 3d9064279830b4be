import { expect, test } from 'vitest';
import { Journal } from '../../../daemon/src/catalog/federation/cache/journal.ts';
import { KeptView } from '../../../daemon/src/catalog/federation/cache/kept-view.ts';
import { recordedPage, Walks } from '../../../daemon/src/catalog/federation/list/recorder.ts';
import type { PeerApi, PeerNode } from '../../../daemon/src/catalog/federation/peer-api.types.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import { memoryKv } from '../../../daemon/src/store/memory-kv.ts';
import { parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { ROWS_MEDIA_TYPE } from '../../../protocol/remote-api.ts';
import { model, USER } from './nodes.ts';

const PEER: PeerNode = { domain: parseDomainId('d'.repeat(64)), key: parsePeerKey('1'.repeat(64)), namespace: 'node1', reachable: true };
const VIEW = { asker: 'a', group: modelKind.group, plural: modelKind.plural };
const WHOLE = { after: '', upTo: undefined };
const ROWS = [{ name: 'a', json: '{}' }];

async function open(kv: Kv): Promise<KeptView> {
  return KeptView.open(kv, await Journal.open(kv), VIEW, () => []);
}

test('what was dropped half-way is no beginning to go on from', async () => {
  const kv = memoryKv();
  let writes = Number.POSITIVE_INFINITY;
  const dying: Kv = {
    ...kv,
    batch: async (ops, options) => {
      if (writes <= 0) throw new Error('the process is no more');
      writes -= 1;
      await kv.batch(ops, options);
    },
  };
  const kept = await open(dying);
  await kept.replace(PEER, WHOLE, ROWS, { version: '5', drops: 0 });
  expect(kept.parts().get(PEER.key)?.position).toBe('5');
  writes = 1;
  await expect(kept.drop(PEER.key)).rejects.toThrow('no more');
  const again = await open(kv);
  expect(await again.rows(PEER.key, '')).toEqual([]);
  expect(again.parts().get(PEER.key)?.position).toBeUndefined();
});

test('nothing is written after it was closed, also not by those who were about to', async () => {
  const kv = memoryKv();
  const kept = await open(kv);
  await kept.upsert(PEER, ROWS);
  const all = () => kv.page({ gte: '', lt: '~', limit: 100 });
  await kept.close();
  const before = await all();
  const closed = { code: 'UNAVAILABLE' };
  await expect(kept.invalidate()).rejects.toMatchObject(closed);
  await expect(kept.drop(PEER.key)).rejects.toMatchObject(closed);
  await expect(kept.upsert(PEER, [{ name: 'b', json: '{}' }])).rejects.toMatchObject(closed);
  await expect(kept.change(PEER, 'a', undefined)).rejects.toMatchObject(closed);
  expect(await all()).toEqual(before);
});

test.each(['while it was asked', 'before'])(
  'no version leads on from rows that nobody may come to know: the stream of changes ended %s',
  async (when) => {
    const kept = await open(memoryKv());
    const version = Number(await kept.stamp(1));
    const { logged } = kept;
    const release = await kept.leases.take(PEER.key, new AbortController().signal, true);
    const ended = kept.leases.streaming(PEER.key, 0);
    if (when === 'before') ended();
    const body = [
      { metadata: { resourceVersion: '7' } },
      { ...model('a', 'node1'), metadata: { ...model('a', 'node1').metadata, uid: 'u', resourceVersion: '7' } },
      { end: {} },
    ];
    const peers: PeerApi = {
      peers: () => [PEER],
      peerNamed: () => PEER,
      onChange: () => () => {},
      request: async () => {
        ended();
        // followed all the time, but by a new stream
        if (when !== 'before') kept.leases.streaming(PEER.key, 0);
        return { status: 200, contentType: ROWS_MEDIA_TYPE, warnings: [], body: bytes(body) };
      },
    };
    const ports = { peers, kept, walks: new Walks(), own: { entries: 0 }, logger: { debug: () => {}, warn: () => {} }, now: Date.now };
    const query = { user: USER, kind: modelKind, limit: 10, continue: '', after: '' };
    const bounds = { timeoutMs: 5_000, maxBytes: 100_000, signal: new AbortController().signal };
    const page = await recordedPage(ports, PEER, query, bounds, { everything: true, before: '' });
    release?.();
    expect(page).toMatchObject({ outcome: 'page', rows: [{ name: 'a' }] });
    expect(() => kept.assertKept(version)).toThrow('no longer');
    // a list counts this as news, and does not give a version after it
    expect(kept.logged).toBeGreaterThan(logged);
  },
);

async function* bytes(lines: readonly unknown[]): AsyncGenerator<Uint8Array> {
  for (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`);
}
