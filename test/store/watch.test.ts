import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { WatchEvent, WatchQuery } from '../../daemon/src/store/object-store.types.ts';
import { waitFor } from '../wait.ts';
import { NODE, SERVICES, service, serviceRef } from './fixtures.ts';
import { memoryKv } from './memory-kv.ts';

let store: LocalStore;
let abort: AbortController;

beforeEach(async () => {
  store = await openObjectStore({ kv: memoryKv(), node: NODE, bookmarkMs: 0 });
  abort = new AbortController();
});

afterEach(async () => {
  abort.abort();
  await store.close();
});

function record(query: Partial<WatchQuery> = {}) {
  const events: WatchEvent[] = [];
  const state = { ended: false, error: undefined as unknown };
  const iterable = store.watch({ ...SERVICES, signal: abort.signal, ...query });
  (async () => {
    for await (const event of iterable) events.push(event);
  })().then(
    () => {
      state.ended = true;
    },
    (error: unknown) => {
      state.error = error;
    },
  );
  return { events, state };
}

const shown = (events: readonly WatchEvent[]) =>
  events.map((event) => (event.type === 'BOOKMARK' ? 'BOOKMARK' : `${event.type} ${event.object.metadata.name}`));
const put = (name: string, options?: Parameters<typeof service>[1]) => store.transact((tx) => tx.put(service(name, options)));

describe('a watch', () => {
  it('shows what an expression means, as it comes and goes', async () => {
    await put('a', { labels: { tier: 'front' } });
    await put('b', { labels: { tier: 'back' } });
    const { events } = record({ where: "labels.tier=front and name like '?'" });
    await waitFor(() => events.length === 1, { what: 'the present state' });
    await put('b', { labels: { tier: 'front' } });
    await put('long', { labels: { tier: 'front' } });
    await put('a', { labels: { tier: 'back' } });
    await store.transact((tx) => tx.delete(serviceRef('b')));
    await waitFor(() => events.length === 4, { what: 'live events' });
    expect(shown(events)).toEqual(['ADDED a', 'ADDED b', 'DELETED a', 'DELETED b']);
    expect(() => store.watch({ ...SERVICES, where: 'name=', signal: abort.signal })).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
  });

  it('gives the present state and then what happens', async () => {
    await put('a');
    for (const resourceVersion of [undefined, '', '0']) {
      const { events } = record(resourceVersion === undefined ? {} : { resourceVersion });
      await waitFor(() => events.length === 1, { what: 'the present state' });
      expect(shown(events)).toEqual(['ADDED a']);
    }
    const { events } = record();
    await waitFor(() => events.length === 1);
    await put('b');
    await put('a', { port: 81 });
    await store.transact((tx) => tx.delete(serviceRef('b')));
    await waitFor(() => events.length === 4, { what: 'live events' });
    expect(shown(events)).toEqual(['ADDED a', 'ADDED b', 'MODIFIED a', 'DELETED b']);
    const last = events[3];
    expect(last?.type === 'DELETED' && last.object.metadata.resourceVersion).toBe(String(store.version()));
  });

  it('goes on from a version', async () => {
    await put('a');
    const version = String(store.version());
    await put('b');
    const { events } = record({ resourceVersion: version });
    await waitFor(() => events.length === 1);
    expect(shown(events)).toEqual(['ADDED b']);
  });

  it('shows an object that leaves the selection as deleted, and one that enters it as added', async () => {
    const { events } = record({ labelSelector: 'on=yes' });
    await put('a', { labels: { on: 'yes' } });
    await put('b', { labels: { on: 'no' } });
    await put('a', { labels: { on: 'no' } });
    await put('b', { labels: { on: 'yes' } });
    await put('c');
    await put('b', { labels: { on: 'yes' }, port: 81 });
    await waitFor(() => events.length === 4);
    expect(shown(events)).toEqual(['ADDED a', 'DELETED a', 'ADDED b', 'MODIFIED b']);
  });

  it('keeps to its namespace and kind', async () => {
    const { events } = record({ namespace: 'node1' });
    await put('a');
    await store.transact((tx) => tx.put({ ...service('a', { namespace: 'node1' }), kind: 'Endpoints', spec: undefined }));
    await put('b', { namespace: 'node1' });
    await waitFor(() => events.length === 1);
    expect(shown(events)).toEqual(['ADDED b']);
  });

  it("gives bookmarks only when asked, and always after replicas, whose versions are their owner's", async () => {
    const silent = record();
    const { events } = record({ bookmarks: true });
    await waitFor(() => events.length === 1);
    await store.transact((tx) =>
      tx.put(
        { ...service('r', { namespace: 'node1' }), metadata: { ...service('r', { namespace: 'node1' }).metadata, resourceVersion: '3' } },
        { origin: 'replica' },
      ),
    );
    await waitFor(() => events.length === 3);
    expect(shown(events)).toEqual(['BOOKMARK', 'ADDED r', 'BOOKMARK']);
    expect(events[2]).toEqual({ type: 'BOOKMARK', version: store.version() });
    expect(shown(silent.events)).toEqual(['ADDED r']);
  });

  it('gives bookmarks though the clock was set back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      store = await openObjectStore({ kv: memoryKv(), node: NODE, bookmarkMs: 0 });
      const { events } = record({ bookmarks: true });
      await waitFor(() => events.length === 1);
      vi.setSystemTime(Date.now() - 60 * 60 * 1000);
      await store.transact((tx) => tx.put({ ...service('f'), kind: 'Endpoints', spec: undefined }));
      await waitFor(() => events.length === 2, { what: 'a bookmark' });
      expect(shown(events)).toEqual(['BOOKMARK', 'BOOKMARK']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('refuses versions that are not kept, from the future, foreign, or no versions', async () => {
    const version = store.version();
    for (const resourceVersion of [String(version + 1), String(version - 1), '7', '99999999999999999999']) {
      expect(() => store.watch({ ...SERVICES, signal: abort.signal, resourceVersion })).toThrow(expect.objectContaining({ code: 'GONE' }));
    }
    for (const resourceVersion of ['x', '-1', '1.5', '1e3']) {
      expect(() => store.watch({ ...SERVICES, signal: abort.signal, resourceVersion })).toThrow(
        expect.objectContaining({ code: 'BAD_REQUEST' }),
      );
    }
    expect(() => store.watch({ ...SERVICES, signal: abort.signal, labelSelector: '=' })).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
  });

  it('ends with its signal and with the store', async () => {
    const own = new AbortController();
    const first = record({ signal: own.signal });
    const second = record();
    own.abort();
    await waitFor(() => first.state.ended, { what: 'the end of the aborted watch' });
    expect(second.state.ended).toBe(false);
    await store.close();
    await waitFor(() => second.state.ended, { what: 'the end of the watch of a closed store' });
  });
});

describe('a slow watch', () => {
  const limits = { entries: 40, bytes: 1_000_000, recentBytes: 2_000 };

  it('reads from the database what is no longer in memory, and misses nothing', async () => {
    await store.close();
    store = await openObjectStore({ kv: memoryKv(), node: NODE, limits: { ...limits, entries: 10_000 } });
    const watch = store.watch({ ...SERVICES, signal: abort.signal })[Symbol.asyncIterator]();
    const first = watch.next();
    await put('s');
    await first;
    for (let port = 1; port <= 600; port++) await put('s', { port });
    const ports: unknown[] = [];
    for (let count = 0; count < 600; count++) {
      const { value } = await watch.next();
      ports.push(value.object.spec.ports[0].port);
    }
    expect(ports).toEqual(Array.from({ length: 600 }, (_, index) => index + 1));
  });

  it('ends with GONE when the log no longer reaches back to it', async () => {
    await store.close();
    store = await openObjectStore({ kv: memoryKv(), node: NODE, limits });
    const watch = store.watch({ ...SERVICES, signal: abort.signal })[Symbol.asyncIterator]();
    const first = watch.next();
    await put('s');
    await first;
    for (let port = 1; port <= 500; port++) await put('s', { port });
    await waitFor(async () => (await store.kv.page({ gte: 'c/', lt: 'c0', limit: 100 })).length <= 50, { what: 'the log to be trimmed' });
    await expect(
      (async () => {
        for (;;) await watch.next();
      })(),
    ).rejects.toMatchObject({ code: 'GONE' });
  });
});

describe('the change log', () => {
  it('is bounded in bytes and survives a restart with its version', async () => {
    const kv = memoryKv();
    const keep = { ...kv, close: async () => {} };
    const limits = { entries: 10_000, bytes: 20_000, recentBytes: 1_000 };
    const first = await openObjectStore({ kv: keep, node: NODE, limits });
    for (let port = 1; port <= 300; port++) await first.transact((tx) => tx.put(service('s', { port })));
    const version = first.version();
    await first.close();
    const rows = await kv.page({ gte: 'c/', lt: 'c0' });
    const bytes = rows.reduce((sum, [, row]) => sum + row.length, 0);
    expect(bytes).toBeLessThan(25_000);
    expect(bytes).toBeGreaterThan(15_000);

    const second = await openObjectStore({ kv: keep, node: NODE, limits });
    expect(second.version()).toBe(version);
    const events: WatchEvent[] = [];
    for await (const event of second.watch({ ...SERVICES, signal: abort.signal, resourceVersion: String(version - 5) })) {
      if (events.push(event) === 5) break;
    }
    expect(shown(events)).toEqual(Array.from({ length: 5 }, () => 'MODIFIED s'));
    expect((await second.transact((tx) => tx.put(service('t')))).metadata.resourceVersion).toBe(String(version + 1));
    await second.close();
  });

  it('begins at a different version in every store', async () => {
    const versions = await Promise.all(
      Array.from({ length: 5 }, async () => (await openObjectStore({ kv: memoryKv(), node: NODE })).version()),
    );
    expect(new Set(versions).size).toBe(5);
  });
});

describe('a watch that is far behind', () => {
  it('is read few large changes at a time, and misses none', async () => {
    const limits = { entries: 1_000, bytes: 50_000_000, recentBytes: 1_000 };
    const below = memoryKv();
    const own = await openObjectStore({ kv: below, node: NODE, limits });
    const version = String(own.version());
    const large = 'x'.repeat(200_000);
    for (let round = 0; round < 12; round += 1) await own.transact((tx) => tx.put(service(`s${round}`, { labels: { large } })));
    const signal = new AbortController();
    const names: string[] = [];
    for await (const event of own.watch({ ...SERVICES, resourceVersion: version, signal: signal.signal })) {
      if (event.type !== 'BOOKMARK') names.push(event.object.metadata.name);
      if (names.length === 12) signal.abort();
    }
    expect(names).toEqual(Array.from({ length: 12 }, (_, round) => `s${round}`));
    await own.close();
  });
});
