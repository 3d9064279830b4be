import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';
import { MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi, type Watch } from '../fixtures.ts';

let api: TestApi;

beforeAll(async () => {
  // a short log, so that some reconnections come too late and have to list again
  const limits = { entries: 12, bytes: 1_000_000, recentBytes: 1_500 };
  api = await startTestApi({ store: await openObjectStore({ kv: memoryKv(), node: NODE, limits, bookmarkMs: 0 }) });
});

afterAll(() => api.close());

/** What an informer does: lists, watches from the list's version, and goes on from the last version that it has seen. */
class Cache {
  readonly objects = new Map<string, ApiObject>();
  readonly #query: string;
  #version = '';
  #watch: Watch | undefined;
  #seen = 0;

  constructor(query: string) {
    this.#query = query;
  }

  get version(): number {
    return Number(this.#version);
  }

  async connect(): Promise<void> {
    if (this.#version === '') await this.#list();
    this.#watch = await api.watch(`${SERVICES}?watch=true&allowWatchBookmarks=true&resourceVersion=${this.#version}&${this.#query}`);
    this.#seen = 0;
  }

  disconnect(): void {
    this.take();
    this.#watch?.stop();
    this.#watch = undefined;
  }

  /** Reads what has arrived. Returns true if it has to connect again. */
  take(): boolean {
    const events = this.#watch?.events.slice(this.#seen) ?? [];
    this.#seen += events.length;
    for (const { type, object } of events) {
      if (type === 'ERROR') {
        expect(object.code).toBe(410);
        this.#version = '';
        return true;
      }
      this.#version = object.metadata.resourceVersion;
      if (type === 'DELETED') this.objects.delete(object.metadata.name);
      else if (type !== 'BOOKMARK') this.objects.set(object.metadata.name, object);
    }
    return false;
  }

  async #list(): Promise<void> {
    const { body } = await api.ask('GET', `${SERVICES}?${this.#query}`);
    this.objects.clear();
    for (const object of body.items) this.objects.set(object.metadata.name, object);
    this.#version = body.metadata.resourceVersion;
  }
}

const name = fc.constantFrom('a', 'b', 'c', 'd');
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ act: fc.constant('put' as const), name, on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('delete' as const), name }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('connect' as const, 'disconnect' as const) }) },
);

it('a client that lists, watches and reconnects ends with the truth', async () => {
  let counter = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const caches = [new Cache(''), new Cache('labelSelector=on%3Dtrue')];
      await Promise.all(caches.map((cache) => cache.connect()));
      const writes: Promise<unknown>[] = [];
      for (const each of steps) {
        if (each.act === 'put') {
          counter += 1;
          const metadata = { labels: { on: String(each.on), n: String(counter) } };
          const patched = api.ask('PATCH', `${SERVICES}/${each.name}`, { body: { metadata }, headers: { 'content-type': MERGE } });
          writes.push(
            patched.then((answer) =>
              answer.status === 404 ? api.ask('POST', SERVICES, { body: serviceBody(each.name, metadata) }) : answer,
            ),
          );
        } else if (each.act === 'delete') {
          writes.push(api.ask('DELETE', `${SERVICES}/${each.name}`));
        } else if (each.act === 'disconnect') {
          for (const cache of caches) cache.disconnect();
        } else {
          await Promise.all(writes.splice(0));
          for (const cache of caches) {
            cache.disconnect();
            await cache.connect();
          }
        }
      }
      await Promise.all(writes);
      for (const [cache, query] of [
        [caches[0], ''],
        [caches[1], 'labelSelector=on%3Dtrue'],
      ] as const) {
        if (cache === undefined) continue;
        cache.disconnect();
        await cache.connect();
        await waitFor(
          async () => {
            if (cache.take()) await cache.connect();
            return cache.version === api.store.version();
          },
          { what: 'the cache to come up to date' },
        );
        const { body } = await api.ask('GET', `${SERVICES}?${query}`);
        expect([...cache.objects.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))).toEqual(body.items);
        cache.disconnect();
      }
    }),
    { numRuns: 25 },
  );
});
