import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ViewHistory } from '../../../daemon/src/api/views/view-history.ts';
import type { Views } from '../../../daemon/src/api/views/views.ts';
import { visibleObjects, visibleWatch } from '../../../daemon/src/api/views/visible-rows.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import type { WatchEvent } from '../../../daemon/src/store/object-store.types.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { UserPrincipal } from '../../../protocol/rights/principal.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';
import { FakeAccess } from '../fake-access.ts';
import { NODE, serviceBody } from '../fixtures.ts';

let store: LocalStore;
let access: FakeAccess;
let views: Views;
let user: UserPrincipal;

beforeEach(async () => {
  store = await openObjectStore({ kv: memoryKv(), node: NODE, bookmarkMs: 0 });
  access = new FakeAccess('');
  user = access.addUser('ops');
  views = { store, access, views: new ViewHistory(access, store), node: { name: NODE } };
});

afterEach(() => store.close());

async function put(name: string, labels: Record<string, string>): Promise<void> {
  await store.transact(async (tx) => {
    const stored = await tx.get({ group: '', plural: 'services', namespace: NODE, name });
    const metadata = stored?.metadata ?? { name, namespace: NODE, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
    await tx.put({ ...serviceBody(name), metadata: { ...metadata, labels } });
  });
}

function remove(name: string): Promise<unknown> {
  return store.transact((tx) => tx.delete({ group: '', plural: 'services', namespace: NODE, name }));
}

/** What an informer does: lists, watches from there, goes on after a cut from the last version that it has seen, lists again if that is gone. */
class Informer {
  readonly objects = new Map<string, ApiObject>();
  readonly told: string[] = [];
  #version: string | undefined;
  #stop = new AbortController();
  #running: Promise<void> | undefined;
  readonly #query: { labelSelector?: string };
  lists = 0;

  constructor(query: { labelSelector?: string } = {}) {
    this.#query = query;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#stop = new AbortController();
    this.#running = this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        const query = { group: '', plural: 'services', ...this.#query, resourceVersion: this.#version ?? '', bookmarks: true, signal };
        for await (const event of visibleWatch(views, user, query)) this.#take(event);
      } catch (error) {
        if (!(error instanceof DtkdError && error.code === 'GONE')) throw error;
        this.#version = undefined;
      }
    }
  }

  async #list(): Promise<void> {
    this.lists += 1;
    const page = await visibleObjects(views, user, { group: '', plural: 'services', ...this.#query });
    this.objects.clear();
    for (const object of page.items) this.objects.set(object.metadata.name, object);
    this.#version = page.resourceVersion;
  }

  #take(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') {
      this.#version = String(event.version);
      return;
    }
    const { name } = event.object.metadata;
    this.told.push(`${event.type} ${name}`);
    this.#version = event.object.metadata.resourceVersion;
    if (event.type === 'DELETED') this.objects.delete(name);
    else this.objects.set(name, event.object);
  }
}

/** What shows now; asked aside, as if another user with the same rights had asked. */
async function truth(labelSelector?: string): Promise<ApiObject[]> {
  const aside: Views = { ...views, views: new ViewHistory(access, store) };
  const page = await visibleObjects(aside, user, {
    group: '',
    plural: 'services',
    ...(labelSelector === undefined ? {} : { labelSelector }),
  });
  return page.items;
}

const byName = (a: ApiObject, b: ApiObject) => (a.metadata.name < b.metadata.name ? -1 : 1);
const held = (informer: Informer) => [...informer.objects.values()].sort(byName);

describe('a watch', () => {
  it('begins with what shows, and says what comes and goes with rights', async () => {
    for (const name of ['a', 'b', 'c']) await put(name, { tier: name === 'c' ? 'back' : 'front' });
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services', label: 'tier=front' });
    const informer = new Informer();
    informer.start();
    await waitFor(() => informer.objects.size === 2);
    access.grant({ user: 'ops@node0', verbs: ['DISCOVER'], plural: 'services', name: 'c' });
    await waitFor(() => informer.objects.has('c'));
    expect(informer.objects.get('c')?.metadata.labels).toBeUndefined();
    expect(informer.objects.get('c')?.['spec']).toBeUndefined();
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services', name: 'c' });
    await waitFor(() => informer.objects.get('c')?.metadata.labels !== undefined);
    access.revoke(({ label }) => label === 'tier=front');
    await waitFor(() => informer.objects.size === 1);
    await put('a', { tier: 'hidden' });
    await remove('b');
    await put('c', { tier: 'last' });
    await waitFor(() => informer.objects.get('c')?.metadata.labels?.['tier'] === 'last');
    expect(informer.told).toEqual(['ADDED c', 'DELETED c', 'ADDED c', 'DELETED a', 'DELETED b', 'MODIFIED c']);
    expect(informer.lists).toBe(1);
    await informer.stop();
  });

  it('follows objects into and out of grants', async () => {
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services', label: 'tier=front' });
    const informer = new Informer();
    informer.start();
    await put('a', { tier: 'back' });
    await put('a', { tier: 'front' });
    await waitFor(() => informer.objects.has('a'));
    await put('a', { tier: 'back' });
    await waitFor(() => !informer.objects.has('a'));
    expect(informer.told).toEqual(['ADDED a', 'DELETED a']);
    await informer.stop();
  });

  it('says nothing of what an object was turned into when it went out of sight', async () => {
    await put('a', { tier: 'front' });
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services', label: 'tier=front' });
    const signal = new AbortController();
    const events: WatchEvent[] = [];
    const watching = (async () => {
      for await (const event of visibleWatch(views, user, { group: '', plural: 'services', signal: signal.signal })) events.push(event);
    })();
    await waitFor(() => events.length === 1);
    await put('a', { tier: 'secret' });
    await waitFor(() => events.length === 2);
    expect(events[1]).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'a', resourceVersion: String(store.version()) } } });
    expect(JSON.stringify(events[1])).not.toContain('secret');
    signal.abort();
    await watching;
  });

  it('does not go on from a time of other rights', async () => {
    await put('a', {});
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services' });
    const version = (await visibleObjects(views, user, { group: '', plural: 'services' })).resourceVersion;
    const watch = () => visibleWatch(views, user, { group: '', plural: 'services', resourceVersion: version, signal: AbortSignal.abort() });
    expect(watch).not.toThrow();
    // a right that runs out moves no version
    access.revoke(() => true);
    expect(watch).toThrow(expect.objectContaining({ code: 'GONE' }));
    await visibleObjects(views, user, { group: '', plural: 'services' });
    expect(watch).not.toThrow();
    await put('b', {});
    access.changed();
    expect(watch).toThrow(expect.objectContaining({ code: 'GONE' }));
  });

  it('does not go on from a list in which rights changed at every attempt', async () => {
    await put('a', {});
    await put('b', {});
    const list: LocalStore['listRaw'] = async (query, options) => {
      const page = await store.listRaw(query, options);
      access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services', name: access.grants.length % 2 === 0 ? 'a' : 'b' });
      return page;
    };
    const busy: Views = {
      ...views,
      store: new Proxy(store, { get: (target, key) => (key === 'listRaw' ? list : Reflect.get(target, key)) }),
    };
    const services = { group: '', plural: 'services' };
    const version = (await visibleObjects(busy, user, services)).resourceVersion;
    const watch = () => visibleWatch(views, user, { ...services, resourceVersion: version, signal: AbortSignal.abort() });
    expect(watch).toThrow(expect.objectContaining({ code: 'GONE' }));
    expect((await visibleObjects(views, user, services)).resourceVersion).toBe(version);
    expect(watch).not.toThrow();
  });

  it('does not go on from a list of before a right ran out because another one was made since', async () => {
    await put('a', { tier: 'front' });
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services' });
    const selections = [{ labelSelector: 'tier=front' }, {}].map((selectors) => ({ group: '', plural: 'services', ...selectors }));
    const [one = { group: '', plural: '' }, other = one] = selections;
    const { resourceVersion } = await visibleObjects(views, user, one);
    const watch = (query: typeof one) => () => visibleWatch(views, user, { ...query, resourceVersion, signal: AbortSignal.abort() });
    expect(watch(one)).not.toThrow();
    // by time: no version moves
    access.revoke(() => true);
    expect((await visibleObjects(views, user, other)).resourceVersion).toBe(resourceVersion);
    expect(watch(other)).not.toThrow();
    expect(watch(one)).toThrow(expect.objectContaining({ code: 'GONE' }));
    await visibleObjects(views, user, one);
    expect(watch(one)).not.toThrow();
  });

  it('does not go on from the version at which rights changed for one that was cut off before it heard so', async () => {
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services', label: 'tier=front' });
    await put('a', { tier: 'front' });
    const stop = new AbortController();
    const told: string[] = [];
    let stoodAt = '';
    for await (const event of visibleWatch(views, user, { group: '', plural: 'services', bookmarks: true, signal: stop.signal })) {
      if (event.type === 'BOOKMARK') continue;
      told.push(`${event.type} ${event.object.metadata.name}`);
      if (told.length === 1) {
        stoodAt = event.object.metadata.resourceVersion;
        // by time: no version moves
        access.revoke(() => true);
        access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services', label: 'tier=back' });
      }
      if (told.at(-1) === 'DELETED a') await put('b', { tier: 'back' });
      if (told.at(-1) === 'ADDED b') stop.abort();
    }
    expect(told).toEqual(['ADDED a', 'DELETED a', 'ADDED b']);
    expect(() => visibleWatch(views, user, { group: '', plural: 'services', resourceVersion: stoodAt, signal: stop.signal })).toThrow(
      expect.objectContaining({ code: 'GONE' }),
    );
  });

  it('tells of what new rights show nothing that came later, nor bears its version before the last word, also of kinds without namespaces', async () => {
    const node = (name: string, tags: string[]) =>
      store.transact(async (tx) => {
        const stored = await tx.get({ group: 'dtkd.dev', plural: 'nodes', namespace: '', name });
        const metadata = stored?.metadata ?? { name, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
        await tx.put({ apiVersion: 'dtkd.dev/v1', kind: 'Node', metadata, spec: { tags } });
      });
    for (const name of ['a', 'b', 'c']) await node(name, []);
    const reviewed = store.version();
    const get: LocalStore['get'] = async (ref) => {
      if (store.version() === reviewed) await node('a', ['new']);
      return store.get(ref);
    };
    const bound = (key: PropertyKey) => {
      const value: unknown = Reflect.get(store, key);
      return typeof value === 'function' ? value.bind(store) : value;
    };
    const busy: Views = { ...views, store: new Proxy(store, { get: (_, key) => (key === 'get' ? get : bound(key)) }) };
    const stop = new AbortController();
    const told: [string, number, number][] = [];
    for await (const event of visibleWatch(busy, user, { group: 'dtkd.dev', plural: 'nodes', bookmarks: true, signal: stop.signal })) {
      if (event.type === 'BOOKMARK') {
        told.push(['BOOKMARK', event.version, event.version]);
        if (told.length === 1) access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'nodes' });
        continue;
      }
      const { name, resourceVersion } = event.object.metadata;
      told.push([`${event.type} ${name}`, Number(resourceVersion), event.version]);
      if (name === 'a') stop.abort();
    }
    expect(told).toEqual([
      ['BOOKMARK', reviewed, reviewed],
      ['ADDED b', reviewed - 1, reviewed - 1],
      ['ADDED c', reviewed, reviewed],
      ['BOOKMARK', reviewed, reviewed],
      ['ADDED a', reviewed + 1, reviewed + 1],
    ]);
  });

  it('refuses the user of another node who may see nothing, and shows nothing to one of this node', async () => {
    const query = { group: '', plural: 'services', signal: AbortSignal.abort() };
    const remote: UserPrincipal = { ...user, home: 'a'.repeat(64), display: 'eve@node1' };
    expect(() => visibleWatch(views, remote, query)).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    await expect(visibleObjects(views, remote, query)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await truth()).toEqual([]);
  });
});

/** Of each property. */
const RUNS = 40;

const name = fc.constantFrom('a', 'b', 'c', 'd');
const tier = fc.constantFrom('front', 'back', 'none');
const verbs = fc.constantFrom(['READ'] as const, ['DISCOVER'] as const, ['UPDATE', 'READ'] as const);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('put' as const), name, tier }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), name }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('grant' as const), verbs, tier }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('grantOne' as const), verbs, name }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('revoke' as const), nth: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('cut' as const, 'start' as const, 'pause' as const) }) },
);

/** Changes rights as a grant does: they hold as soon as what is written is durable, at its version. */
async function byWriting(change: () => void): Promise<void> {
  const forget = store.subscribe(() => change());
  const metadata = { name: 'grant', namespace: NODE, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
  await store.transact((tx) => tx.put({ apiVersion: 'v1', kind: 'Endpoints', metadata }));
  forget();
}

it.each([
  // rights that run out move no version; of two caches of one user and one selection at that very version one may then not be told to list again
  ['grants', byWriting, [undefined, 'tier!=none']],
  ['time', async (change: () => void) => change(), [undefined, 'tier!=none']],
] as const)(
  'leaves a cache with what its user may see, after any changes of objects and of rights (by %s), and any cuts',
  async (_, turn, selectors) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        access.revoke(() => true);
        for (const each of ['a', 'b', 'c', 'd']) await remove(each);
        const informers = selectors.map((labelSelector) => new Informer(labelSelector === undefined ? {} : { labelSelector }));
        for (const informer of informers) informer.start();
        for (const each of steps) {
          const grant = (about: { label: string } | { name: string }) => {
            if ('verbs' in each) access.grant({ user: 'ops@node0', verbs: each.verbs, plural: 'services', ...about });
          };
          if (each.act === 'put') await put(each.name, { tier: each.tier });
          else if (each.act === 'remove') await remove(each.name);
          else if (each.act === 'grant') await turn(() => grant({ label: `tier=${each.tier}` }));
          else if (each.act === 'grantOne') await turn(() => grant({ name: each.name }));
          else if (each.act === 'revoke') await turn(() => access.revoke((one) => access.grants.indexOf(one) === each.nth));
          else if (each.act === 'cut') for (const informer of informers) await informer.stop();
          else if (each.act === 'start') for (const informer of informers) informer.start();
          else await new Promise((resolve) => setImmediate(resolve));
        }
        for (const [index, informer] of informers.entries()) {
          informer.start();
          const expected = JSON.stringify(await truth(selectors[index]));
          await waitFor(() => JSON.stringify(held(informer)) === expected, { what: 'the cache to hold what shows' });
          await informer.stop();
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  },
);

it('pages go on with the present state for somebody whose rights have changed: what was there before is not shown', async () => {
  access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services', label: 'tier=front' });
  for (const name of ['a', 'b', 'c']) await put(name, { tier: name === 'a' ? 'front' : 'back' });
  const version = store.version();
  await remove('b');
  const query = { group: '', plural: 'services', version };
  expect((await visibleObjects(views, user, query)).items.map(({ metadata }) => metadata.name)).toEqual(['a']);
  access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services' });
  expect((await visibleObjects(views, user, query)).items.map(({ metadata }) => metadata.name)).toEqual(['a', 'c']);
  await expect(visibleObjects(views, user, { ...query, exact: true })).rejects.toMatchObject({ code: 'GONE' });
});
