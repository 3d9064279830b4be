import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../protocol/errors.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { FakeAccess } from '../api/fake-access.ts';
import { MERGE, NODE, PEERS, SERVICES, serviceBody, TOKEN } from '../api/fixtures.ts';
import { memoryKv } from '../store/memory-kv.ts';
import { waitFor } from '../wait.ts';
import { type GarbageApi, ownerOf, startGarbageApi } from './fixtures.ts';

const RESOURCES = '/apis/dtkd.dev/v1/namespaces/default/resources';
const merge = { headers: { 'content-type': MERGE } };
const access = new FakeAccess(TOKEN);
access.addUser('ops');
const token = 'token-of-ops';
/** What a kind's handler refuses to delete. */
const refused = new Set<string>();
const handled: string[] = [];
let g: GarbageApi;

beforeEach(async () => {
  access.revoke(() => true);
  refused.clear();
  handled.length = 0;
  g = await startGarbageApi({
    access,
    kinds: {
      'dtkd.dev/resources': {
        async delete(object, { principal, dryRun }) {
          if (refused.has(object.metadata.name)) throw new DtkdError('CONFLICT', 'it has children', { next: 'Delete them first.' });
          if (!dryRun) handled.push(`${object.metadata.name} by ${principal.type === 'user' ? principal.display : 'operator'}`);
          return undefined;
        },
      },
    },
  });
});
afterEach(() => g.close());

const remove = (name: string, propagationPolicy?: string) => g.ask('DELETE', `${SERVICES}/${name}`, { body: { propagationPolicy } });
const gone = (...names: string[]) =>
  waitFor(async () => (await g.names()).every((name) => !names.includes(name)), { what: `${names.join(', ')} to be gone` });
const resource = (name: string, owner: ApiObject, as = TOKEN) =>
  g.ask('POST', RESOURCES, {
    token: as,
    body: {
      apiVersion: 'dtkd.dev/v1',
      kind: 'Resource',
      metadata: { name, ownerReferences: [ownerOf(owner)] },
      spec: { model: 'm', type: 'T' },
    },
  });

describe('in the background', () => {
  it('dependents go after their owner, and those of dependents after these', async () => {
    const owner = await g.make('owner');
    const child = await g.make('child', [owner]);
    await g.make('grandchild', [child]);
    await g.make('other');
    expect((await remove('owner')).body.status).toBe('Success');
    await gone('child', 'grandchild');
    await g.settled();
    expect(await g.names()).toEqual(['other']);
  });

  it('what has another owner stays, and lives on with that one', async () => {
    const [a, b] = [await g.make('a'), await g.make('b')];
    await g.make('both', [a, b]);
    await remove('a');
    await waitFor(async () => (await g.service('both'))?.metadata.ownerReferences?.length === 1, { what: 'the reference to go' });
    const left = await g.service('both');
    expect(left?.metadata.ownerReferences).toEqual([ownerOf(b)]);
    expect(left?.metadata.generation).toBe(1);
    await remove('b', 'Background');
    await gone('both');
  });

  it('an owner of the same name with another uid is another one', async () => {
    const owner = await g.make('owner');
    await remove('owner');
    const again = await g.make('owner');
    await g.make('late', [owner]);
    await g.make('fine', [again]);
    await gone('late');
    await g.settled();
    expect(await g.names()).toEqual(['fine', 'owner']);
  });

  it('a kind that is none here owns nothing, and a warning says so', async () => {
    const answer = await g.ask('POST', SERVICES, {
      body: serviceBody('foreign', { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'x', uid: 'u' }] }),
    });
    expect(answer.headers['warning']).toContain('cannot own anything here');
    await g.settled();
    expect(await g.names()).toEqual(['foreign']);
  });

  it("goes through the kind's handler, as whoever said the owners", async () => {
    access.grant({ user: `ops@${NODE}`, verbs: ['CREATE', 'READ'], plural: 'resources' });
    const owner = await g.make('owner');
    expect((await resource('r1', owner)).status).toBe(201);
    expect((await resource('r2', owner, token)).status).toBe(201);
    await remove('owner');
    await waitFor(() => handled.length === 2, { what: 'both to be deleted' });
    expect(handled.sort()).toEqual(['r1 by operator', `r2 by ops@${NODE}`]);
  });

  it('what is refused is tried at growing intervals, told in an Event, and goes when it can', async () => {
    const owner = await g.make('owner');
    await resource('held', owner);
    refused.add('held');
    await remove('owner');
    await waitFor(() => g.events.length > 0, { what: 'an Event' });
    expect(g.events[0]).toBe(
      'GarbageRefused held: Its owners are gone, but it cannot be deleted: something still needs it. Delete it by hand to see what.',
    );
    expect(g.events.join(), 'whoever may read it may not know of its children').not.toContain('children');
    const told = g.events.length;
    refused.clear();
    await waitFor(() => handled.length === 1, { what: 'it to go' });
    expect(g.events.length - told).toBeLessThan(20);
  });

  it('whoever has lost the right to delete does not delete later', async () => {
    const owner = await g.make('owner');
    await g.make('child', []);
    access.grant({ user: `ops@${NODE}`, verbs: ['READ', 'UPDATE', 'DELETE'], plural: 'services', name: 'child' });
    const adopt = { body: { metadata: { ownerReferences: [ownerOf(owner)] } }, ...merge, token };
    expect((await g.ask('PATCH', `${SERVICES}/child`, adopt)).status).toBe(200);
    access.revoke(() => true);
    await remove('owner');
    await waitFor(() => g.events.some((event) => event.startsWith('GarbageRefused child')), { what: 'the refusal' });
    expect(await g.names()).toEqual(['child']);
  });
});

describe('an owner that only follows from something else', () => {
  it('is never taken for gone, since nobody can see it go', async () => {
    const endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'web' }, subsets: [{ addresses: [{ ip: '10.0.0.1' }] }] };
    await g.ask('POST', '/api/v1/namespaces/default/endpoints', { body: endpoints });
    const slice = (await g.ask('GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/web-ipv4')).body;
    const answer = await g.ask('POST', SERVICES, { body: serviceBody('sliced', { ownerReferences: [ownerOf(slice)] }) });
    expect(answer).toMatchObject({ status: 201, headers: { warning: expect.stringContaining('cannot own anything') } });
    await g.make('after', [await g.make('owner')]);
    await remove('owner');
    await gone('after');
    await g.settled();
    expect(await g.names()).toEqual(['sliced']);
  });
});

describe('in the foreground', () => {
  it('dependents go first, those that block, and those of dependents', async () => {
    const owner = await g.make('owner');
    const child = await g.make('child', [{ of: owner, block: true }]);
    await g.make('grandchild', [{ of: child, block: true }], { finalizers: ['example.com/hold'] });
    await g.make('loose', [owner]);
    const marked = await remove('owner', 'Foreground');
    expect(marked.body.metadata).toMatchObject({ finalizers: ['foregroundDeletion'], deletionGracePeriodSeconds: 0 });
    await gone('loose');
    await waitFor(async () => (await g.service('grandchild'))?.metadata.deletionTimestamp !== undefined, { what: 'it to be marked' });
    expect((await g.service('child'))?.metadata.finalizers).toEqual(['foregroundDeletion']);
    expect(await g.service('owner')).toBeDefined();
    await g.ask('PATCH', `${SERVICES}/grandchild`, { body: { metadata: { finalizers: null } }, ...merge });
    await gone('owner', 'child', 'grandchild');
  });

  it('dependents that do not block are not waited for', async () => {
    const owner = await g.make('owner');
    await g.make('held', [owner], { finalizers: ['example.com/hold'] });
    await remove('owner', 'Foreground');
    await gone('owner');
    expect(await g.names()).toEqual(['held']);
  });

  it('ends a circle', async () => {
    const a = await g.make('a');
    const b = await g.make('b', [{ of: a, block: true }]);
    await g.ask('PATCH', `${SERVICES}/a`, { body: { metadata: { ownerReferences: [ownerOf({ of: b, block: true })] } }, ...merge });
    await remove('a', 'Foreground');
    await gone('a', 'b');
  });

  it('goes on with a dependent that is refused, when that can go; another policy ends the wait', async () => {
    const owner = await g.make('owner');
    const body = {
      apiVersion: 'dtkd.dev/v1',
      kind: 'Resource',
      metadata: { name: 'held', ownerReferences: [ownerOf({ of: owner, block: true })] },
      spec: { model: 'm', type: 'T' },
    };
    await g.ask('POST', RESOURCES, { body });
    refused.add('held');
    await remove('owner', 'Foreground');
    await waitFor(() => g.events.length > 0, { what: 'an Event' });
    expect(await g.names()).toEqual(['owner']);
    expect((await remove('owner', 'Background')).body.status).toBe('Success');
    expect(await g.names()).toEqual([]);
  });

  it('says now what would be refused then', async () => {
    const owner = await g.make('owner');
    await resource('r', owner);
    refused.add('r');
    const orphan = await g.ask('DELETE', `${RESOURCES}/r`, { body: { propagationPolicy: 'Orphan' } });
    expect(orphan).toMatchObject({ status: 409, body: { message: 'it has children. Delete them first.' } });
    expect((await g.ask('GET', `${RESOURCES}/r`)).body.metadata.deletionTimestamp).toBeUndefined();
  });
});

describe('orphaning', () => {
  it('lets dependents go free', async () => {
    const owner = await g.make('owner');
    await g.make('child', [{ of: owner, block: true }]);
    expect((await remove('owner', 'Orphan')).body.metadata.finalizers).toEqual(['orphan']);
    await gone('owner');
    await g.settled();
    const child = await g.service('child');
    expect(child?.metadata.ownerReferences).toBeUndefined();
    expect(child?.metadata.deletionTimestamp).toBeUndefined();
  });

  it('does the same for old clients, and refuses contradictions', async () => {
    const owner = await g.make('owner');
    await g.make('child', [owner]);
    const both = { orphanDependents: true, propagationPolicy: 'Background' };
    expect((await g.ask('DELETE', `${SERVICES}/owner`, { body: both })).status).toBe(422);
    await g.ask('DELETE', `${SERVICES}/owner?orphanDependents=true`);
    await gone('owner');
    await g.settled();
    expect(await g.names()).toEqual(['child']);
  });
});

describe('what is never touched', () => {
  it('projections, replicas, and what was taken in without a word about its owners', async () => {
    const owner = await g.make('owner');
    const metadata = {
      namespace: NODE,
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
      ownerReferences: [ownerOf({ of: owner, block: true })],
    };
    const put = (object: object, origin: 'own' | 'projection') => g.store.transact((tx) => tx.put(object as ApiObject, { origin }));
    await put({ apiVersion: 'sid.sightlineinnovation.com/v1', kind: 'dtPeer', metadata: { ...metadata, name: 'peer' } }, 'projection');
    await put({ ...serviceBody('silent'), metadata: { ...metadata, name: 'silent' } }, 'own');
    await remove('owner', 'Foreground');
    await gone('owner');
    await g.settled();
    expect(await g.names()).toEqual(['silent']);
    expect((await g.ask('GET', `${PEERS}/peer`)).status).toBe(200);
    // and such objects own nothing
    const peer = (await g.ask('GET', `${PEERS}/peer`)).body;
    const answer = await g.ask('POST', SERVICES, { body: serviceBody('x', { ownerReferences: [ownerOf(peer)] }) });
    expect(answer).toMatchObject({ status: 422, body: { details: { causes: [{ field: 'metadata.ownerReferences[0]' }] } } });
  });
});

describe('what may not go', () => {
  it('is refused at once in the foreground, unless its dependents may be why', async () => {
    const names = async () => (await api.names()).filter((name) => name !== 'owner');
    const api = await startGarbageApi({
      kinds: {
        '/services': {
          delete: async ({ metadata }) => {
            if (metadata.name === 'owner' && (await names()).length > 0) throw new DtkdError('CONFLICT', 'others need it');
            return undefined;
          },
        },
      },
    });
    const owner = await api.make('owner');
    await api.make('stranger');
    const foreground = () => api.ask('DELETE', `${SERVICES}/owner`, { body: { propagationPolicy: 'Foreground' } });
    expect(await foreground()).toMatchObject({ status: 409, body: { message: expect.stringContaining('others need it') } });
    expect((await api.service('owner'))?.metadata.deletionTimestamp).toBeUndefined();
    await api.ask('DELETE', `${SERVICES}/stranger`);
    await api.make('child', [{ of: owner, block: true }]);
    expect(await foreground()).toMatchObject({ status: 200 });
    await waitFor(async () => (await api.names()).length === 0, { what: 'both to go' });
    await api.close();
  });

  it('is refused alike whether there are dependents or not, where whoever asks may see none', async () => {
    const kinds = { '/services': { delete: async () => Promise.reject(new DtkdError('CONFLICT', 'others need it')) } };
    const api = await startGarbageApi({ access, kinds, started: false });
    access.grant({ user: `ops@${NODE}`, verbs: ['READ', 'DELETE'], plural: 'services', name: 'owner' });
    const owner = await api.make('owner');
    const foreground = () => api.ask('DELETE', `${SERVICES}/owner?dryRun=All`, { body: { propagationPolicy: 'Foreground' }, token });
    const without = await foreground();
    expect(without.status).toBe(409);
    await api.make('child', [{ of: owner, block: true }]);
    expect(await foreground()).toMatchObject({ status: 409, text: without.text });
    access.grant({ user: `ops@${NODE}`, verbs: ['DISCOVER'], plural: 'services', name: 'child' });
    expect(await foreground()).toMatchObject({ status: 200 });
    await api.close();
  });
});

describe('after a restart', () => {
  it('goes on with what was left', async () => {
    const kv = memoryKv();
    const kept = { ...kv, close: async () => undefined };
    const first = await startGarbageApi({
      kv: { ...kept, get: kv.get.bind(kv), page: kv.page.bind(kv), batch: kv.batch.bind(kv), snapshot: kv.snapshot.bind(kv) },
      started: false,
    });
    const owner = await first.make('owner');
    const child = await first.make('child', [{ of: owner, block: true }]);
    await first.make('grandchild', [child]);
    await first.make('waiting');
    await first.ask('DELETE', `${SERVICES}/waiting`, { body: { propagationPolicy: 'Orphan' } });
    await first.ask('DELETE', `${SERVICES}/owner`);
    await first.close();
    const store = await openObjectStore({ kv, node: NODE });
    const second = await startGarbageApi({ store });
    await waitFor(async () => (await second.names()).length === 0, { what: 'all to go' });
    await second.close();
  });
});

describe('many dependents', () => {
  it('all go, in bounded steps', async () => {
    const owner = await g.make('owner');
    await g.store.transact(async (tx) => {
      for (let index = 0; index < 1_500; index++) {
        const metadata = { name: `d-${index}`, namespace: NODE, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
        const annotations = { 'dtkd.dev/owners-said-by': 'operator' };
        await tx.put({
          ...serviceBody('x'),
          metadata: { ...metadata, annotations, ownerReferences: [ownerOf(owner)] },
        } as unknown as ApiObject);
      }
    });
    await g.settled();
    await remove('owner');
    await waitFor(async () => (await g.names()).length === 0, { what: 'all to go' });
  });

  it('than can wait at once are all looked at after a restart, each once', async () => {
    const many = await startGarbageApi({ started: false, garbage: { maxWaiting: 10 } });
    const owner = await many.make('owner');
    for (let index = 0; index < 40; index++) await many.make(`d-${index}`, [owner]);
    const gone = { ...owner, metadata: { ...owner.metadata, name: 'gone', uid: 'zzz, after all others' } };
    await many.make('left', [gone]);
    const looked = vi.spyOn(many.store, 'originOf');
    many.garbage.start();
    await waitFor(async () => !(await many.names()).includes('left'), { what: 'what is last to go as well' });
    await many.settled();
    const ofOne = looked.mock.calls.filter(([{ name }]) => name === 'd-7');
    expect(ofOne).toHaveLength(1);
    await many.close();
  });
});
