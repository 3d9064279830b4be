import { expect, test } from 'vitest';
import { askerOf } from '../../../daemon/src/catalog/federation/cache/cache-keys.ts';
import { Journal } from '../../../daemon/src/catalog/federation/cache/journal.ts';
import { Kept } from '../../../daemon/src/catalog/federation/cache/kept.ts';
import { KeptView } from '../../../daemon/src/catalog/federation/cache/kept-view.ts';
import { recordedPage, Walks } from '../../../daemon/src/catalog/federation/list/recorder.ts';
import type { PeerApi, PeerNode } from '../../../daemon/src/catalog/federation/peer-api.types.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import { parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { ROWS_MEDIA_TYPE } from '../../../protocol/peers/remote.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { model, USER } from './nodes.ts';

const PEER: PeerNode = {
  domain: parseDomainId('d'.repeat(64)),
  key: parsePeerKey('1'.repeat(64)),
  namespace: 'node1',
  reachable: true,
  suspended: false,
};
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
  await expect(kept.noteList(1, 'untraceable')).rejects.toMatchObject(closed);
  await expect(kept.drop(PEER.key)).rejects.toMatchObject(closed);
  await expect(kept.upsert(PEER, [{ name: 'b', json: '{}' }])).rejects.toMatchObject(closed);
  await expect(kept.change(PEER, 'a', undefined)).rejects.toMatchObject(closed);
  expect(await all()).toEqual(before);
});

test('who comes back while they are forgotten is not given what is about to go', async () => {
  const kv = memoryKv();
  const cleared = Promise.withResolvers<void>();
  const slow: Kv = {
    ...kv,
    batch: async (ops, options) => {
      if (ops.some(({ type }) => type === 'clear')) await cleared.promise;
      await kv.batch(ops, options);
    },
  };
  const all = await Kept.open(slow, await Journal.open(slow), () => 0);
  const before = await all.hold(USER, modelKind);
  await before.kept.replace(PEER, WHOLE, ROWS, { version: '5', drops: 0 });
  before.release();
  const forgotten = all.forget(askerOf(USER));
  const back = all.hold(USER, modelKind);
  // long enough to read what is there
  await new Promise((resolve) => setImmediate(resolve));
  cleared.resolve();
  await forgotten;
  const { kept } = await back;
  expect(await kept.rows(PEER.key, '')).toEqual([]);
  expect(kept.parts().get(PEER.key)?.position).toBeUndefined();
  await kept.replace(PEER, WHOLE, ROWS, { version: '6', drops: 0 });
  expect((await kept.rows(PEER.key, '')).length).toBe(1);
});

test('a page of a list that began earlier takes nothing back', async () => {
  const kept = await open(memoryKv());
  const page = (version: string, names: readonly string[], how = {}) => recordPage(kept, new Walks(), version, names, how);
  await page('7', ['a'], { more: true });
  await page('9', ['a', 'b']);
  await page('7', [], { before: 'a' });
  expect((await kept.rows(PEER.key, '')).map(({ name }) => name)).toEqual(['a', 'b']);
  expect(kept.parts().get(PEER.key)?.position).toBe('9');
  // one that begins now shows what is there, by versions of another store
  await page('8', ['a']);
  expect((await kept.rows(PEER.key, '')).map(({ name }) => name)).toEqual(['a']);
  expect(kept.parts().get(PEER.key)?.position).toBe('8');
});

test('a page of a list that began earlier fills in what a later one has not come to', async () => {
  const kept = await open(memoryKv());
  const walks = new Walks();
  const page = (version: string, names: readonly string[], how = {}) => recordPage(kept, walks, version, names, how);
  const names = async () => (await kept.rows(PEER.key, '')).map(({ name }) => name);
  await page('7', ['a'], { more: true });
  await page('9', ['a', 'c'], { more: true });
  await page('7', ['b', 'd', 'e'], { before: 'a' });
  expect(await names()).toEqual(['a', 'c', 'd', 'e']);
  expect(kept.parts().get(PEER.key)?.position).toBeUndefined();
  await page('9', ['e', 'f'], { before: 'c' });
  expect(await names()).toEqual(['a', 'c', 'e', 'f']);
  expect(kept.parts().get(PEER.key)?.position).toBe('9');
});

test('lists are remembered for those who go on from them, also over a start, and not for ever', async () => {
  const kv = memoryKv();
  const journal = await Journal.open(kv);
  const kept = await KeptView.open(kv, journal, VIEW, () => []);
  await kept.upsert(PEER, ROWS);
  const bookmark = await kept.stamp(1);
  const versions: number[] = [];
  for (let list = 0; list < 300; list++) {
    const version = await kept.stampList(1);
    await kept.noteList(version, new Map([[PEER.key, 'absent']]));
    versions.push(version);
  }
  const later = await kept.stamp(1);
  const untraceable = await kept.stampList(1);
  await kept.noteList(untraceable, 'untraceable');
  expect(new Set([...versions, bookmark, later, untraceable]).size).toBe(303);
  await journal.close();
  for (const view of [kept, await KeptView.open(kv, await Journal.open(kv), VIEW, () => [])]) {
    expect(view.listNote(versions.at(-1) ?? 0)).toEqual(new Map([[PEER.key, 'absent']]));
    expect(view.listNote(later)).toEqual(new Map());
    for (const gone of [untraceable, versions[0] ?? 0, bookmark]) expect(() => view.listNote(gone)).toThrow('no longer');
  }
  await kept.noteList(later, new Map([[PEER.key, 'otherwise']]));
  expect((await kv.page({ gte: 'f/n/', lt: 'f/n0' })).length).toBe(256);
});

test('nothing is noted of lists that were never given', async () => {
  const kv = memoryKv();
  const kept = await open(kv);
  const version = await kept.stampList(1);
  const note = new Map([[PEER.key, 'absent' as const]]);
  await kept.noteList(version, note);
  for (let made = 1; made <= 300; made++)
    for (const invented of [version - 1_000 + made, version + 1_000 + made]) await kept.noteList(invented, note);
  expect(kept.listNote(version)).toEqual(note);
  expect((await kv.page({ gte: 'f/n/', lt: 'f/n0' })).length).toBe(1);
});

test.each(['while it was asked', 'before'])(
  'no list leads on from rows that nobody may come to know: the stream of changes ended %s',
  async (when) => {
    const kept = await open(memoryKv());
    const release = await kept.leases.take(PEER.key, new AbortController().signal, true);
    const ended = kept.leases.streaming(PEER.key, 0);
    if (when === 'before') ended();
    const body = [
      { metadata: { resourceVersion: '7' } },
      { ...model('a', 'node1'), metadata: { ...model('a', 'node1').metadata, uid: 'u', resourceVersion: '7' } },
      { end: {} },
    ];
    const ports = portsOf(kept, async () => {
      ended();
      // followed all the time, but by a new stream
      if (when !== 'before') kept.leases.streaming(PEER.key, 0);
      return answer(body);
    });
    const query = { user: USER, kind: modelKind, limit: 10, continue: '', after: '' };
    const page = await recordedPage(ports, PEER, query, bounds(), { everything: true, before: '' });
    release?.();
    expect(page).toMatchObject({ outcome: 'page', rows: [{ name: 'a' }] });
    expect(ports.own).toEqual({ entries: 0, untraceable: true });
  },
);

/** Records a page that shows rows of these names at a version. */
async function recordPage(kept: KeptView, walks: Walks, version: string, names: readonly string[], { before = '', more = false } = {}) {
  const rows = names.map((name) => ({
    ...model(name, 'node1'),
    metadata: { ...model(name, 'node1').metadata, uid: name, resourceVersion: version },
  }));
  const end = { end: more ? { continue: 'more' } : {} };
  const ports = { ...portsOf(kept, async () => answer([{ metadata: { resourceVersion: version } }, ...rows, end])), walks };
  const query = { user: USER, kind: modelKind, limit: more ? names.length : 10, continue: before, after: before };
  expect(await recordedPage(ports, PEER, query, bounds(), { everything: true, before })).toMatchObject({ outcome: 'page' });
}

function portsOf(kept: KeptView, request: PeerApi['request']) {
  const peers: PeerApi = { peers: () => [PEER], peerNamed: () => PEER, onChange: () => () => {}, request };
  return { peers, kept, walks: new Walks(), own: { entries: 0, untraceable: false }, logger: silentLogger, now: Date.now };
}

function bounds() {
  return { timeoutMs: 60_000, maxBytes: 100_000, signal: new AbortController().signal };
}

function answer(lines: readonly unknown[]) {
  return { status: 200, contentType: ROWS_MEDIA_TYPE, warnings: [], body: bytes(lines) };
}

async function* bytes(lines: readonly unknown[]): AsyncGenerator<Uint8Array> {
  for (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`);
}
