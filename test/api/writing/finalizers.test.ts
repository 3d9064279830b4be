import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { FakeAccess } from '../fake-access.ts';
import { JSON_PATCH, MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi, TOKEN } from '../fixtures.ts';

const access = new FakeAccess(TOKEN);
const calls: string[] = [];
let api: TestApi;

beforeAll(async () => {
  access.addUser('ops');
  api = await startTestApi({
    access,
    kinds: {
      'dtkd.dev/models': {
        async delete(object, { principal, dryRun }) {
          calls.push(`${object.metadata.name} by ${principal.type}${dryRun ? ' dry' : ''}`);
          return undefined;
        },
      },
    },
  });
});
afterAll(() => api.close());

const merge = { headers: { 'content-type': MERGE } };
const jsonPatch = { headers: { 'content-type': JSON_PATCH } };
const create = (name: string, extra: object = {}) => api.ask('POST', SERVICES, { body: serviceBody(name, extra) });
const get = async (name: string): Promise<ApiObject> => (await api.ask('GET', `${SERVICES}/${name}`)).body;
const patch = (name: string, metadata: object) => api.ask('PATCH', `${SERVICES}/${name}`, { body: { metadata }, ...merge });
const remove = (name: string, body: object = {}, query = '') => api.ask('DELETE', `${SERVICES}/${name}${query}`, { body });

describe('deletion with finalizers', () => {
  it('marks, says that there is no grace period, and ends with the last finalizer', async () => {
    const { body: made } = await create('held', { finalizers: ['example.com/a', 'example.com/b', 'example.com/a'] });
    expect(made.metadata.finalizers).toEqual(['example.com/a', 'example.com/b']);
    const marked = await remove('held', { gracePeriodSeconds: 30 });
    expect(marked).toMatchObject({
      status: 200,
      body: { kind: 'Service', metadata: { uid: made.metadata.uid, generation: 2, deletionGracePeriodSeconds: 0 } },
    });
    expect(marked.body.metadata.resourceVersion).not.toBe(made.metadata.resourceVersion);
    expect((await remove('held', { gracePeriodSeconds: 0 })).body, 'again').toEqual(marked.body);
    const one = await api.ask('PATCH', `${SERVICES}/held`, { body: [{ op: 'remove', path: '/metadata/finalizers/0' }], ...jsonPatch });
    expect(one.body.metadata).toMatchObject({ finalizers: ['example.com/b'], generation: 2 });
    const last = await patch('held', { finalizers: [] });
    expect(last.status).toBe(200);
    expect(last.body.metadata.finalizers).toBeUndefined();
    expect((await api.ask('GET', `${SERVICES}/held`)).status).toBe(404);
  });

  it('takes none on while it waits, and only such as say whose they are', async () => {
    await create('strict', { finalizers: ['example.com/a'] });
    await remove('strict');
    const added = await patch('strict', { finalizers: ['example.com/a', 'example.com/b'] });
    expect(added).toMatchObject({ status: 422, body: { reason: 'Invalid', details: { causes: [{ field: 'metadata.finalizers' }] } } });
    expect((await patch('strict', { labels: { still: 'writable' } })).status).toBe(200);
    await patch('strict', { finalizers: null });

    expect(await create('bare', { finalizers: ['mine'] })).toMatchObject({ status: 422 });
    await create('bare', { finalizers: ['foregroundDeletion', 'orphan'] });
    expect((await patch('bare', { finalizers: ['mine'] })).status).toBe(422);
    expect((await patch('bare', { finalizers: null })).status).toBe(200);
    await remove('bare');
  });

  it("runs the kind's handler when the last one goes, and not before", async () => {
    const path = '/apis/dtkd.dev/v1/namespaces/default/models';
    const body = { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: 'm', finalizers: ['example.com/a'] }, spec: {} };
    await api.ask('POST', path, { body });
    await api.ask('DELETE', `${path}/m`);
    expect(calls).toEqual([]);
    await api.ask('PATCH', `${path}/m?dryRun=All`, { body: { metadata: { finalizers: null } }, ...merge });
    expect(calls.splice(0)).toEqual(['m by operator dry']);
    expect((await api.ask('GET', `${path}/m`)).status).toBe(200);
    await api.ask('PATCH', `${path}/m`, { body: { metadata: { finalizers: null } }, ...merge });
    expect(calls.splice(0)).toEqual(['m by operator']);
    expect((await api.ask('GET', `${path}/m`)).status).toBe(404);
  });
});

describe('what a client says of a deletion', () => {
  it('is taken from the body, or where there is none from the query', async () => {
    for (const query of ['?gracePeriodSeconds=0', '?propagationPolicy=Background&gracePeriodSeconds=1', '?orphanDependents=false']) {
      await create('plain');
      expect((await api.ask('DELETE', `${SERVICES}/plain${query}`)).body.status, query).toBe('Success');
    }
    await create('plain');
    for (const [body, query] of [
      [{ propagationPolicy: 'Sideways' }, ''],
      [{ gracePeriodSeconds: -1 }, ''],
      [{ preconditions: { uid: 7 } }, ''],
      [undefined, '?propagationPolicy=Sideways'],
      [undefined, '?gracePeriodSeconds=soon'],
      [undefined, '?orphanDependents=maybe'],
    ] as const) {
      expect((await api.ask('DELETE', `${SERVICES}/plain${query}`, { body })).status, JSON.stringify([body, query])).toBe(400);
    }
    expect((await remove('plain', { orphanDependents: true, propagationPolicy: 'Orphan' })).status).toBe(422);
    expect((await remove('plain', {}, '?propagationPolicy=Orphan')).body.metadata.finalizers).toEqual(['orphan']);
  });

  it('may be bound to one object and version, for a mark as for the end', async () => {
    const { body: made } = await create('bound', { finalizers: ['example.com/a'] });
    const { uid, resourceVersion } = made.metadata;
    for (const preconditions of [{ uid: 'other' }, { resourceVersion: '1' }, { uid, resourceVersion: '1' }]) {
      expect(await remove('bound', { preconditions })).toMatchObject({
        status: 409,
        body: { reason: 'Conflict', details: { name: 'bound', kind: 'services', code: 'CONFLICT' } },
      });
    }
    expect((await get('bound')).metadata.deletionTimestamp).toBeUndefined();
    expect((await remove('bound', { preconditions: { uid, resourceVersion } })).status).toBe(200);
    expect((await remove('bound', { preconditions: { resourceVersion } })).status, 'it has been marked').toBe(409);
    await patch('bound', { finalizers: null });
  });

  it('changes nothing in a trial, whatever it says', async () => {
    const { body: made } = await create('trial', { finalizers: ['example.com/a'] });
    for (const propagationPolicy of ['Orphan', 'Foreground', 'Background']) {
      const tried = await remove('trial', { propagationPolicy, dryRun: ['All'] });
      expect(tried.body.metadata.deletionTimestamp).toBeDefined();
    }
    expect(await get('trial')).toEqual(made);
    await remove('trial');
    const marked = await get('trial');
    expect((await api.ask('PATCH', `${SERVICES}/trial?dryRun=All`, { body: { metadata: { finalizers: null } }, ...merge })).status).toBe(
      200,
    );
    expect(await get('trial')).toEqual(marked);
    await api.ask('DELETE', `${SERVICES}?labelSelector=none%3Dx&dryRun=All`);
    await patch('trial', { finalizers: null });
  });

  it('goes for each of a collection', async () => {
    await Promise.all(['c1', 'c2'].map((name) => create(name, { labels: { batch: 'policy' } })));
    await api.ask('DELETE', `${SERVICES}?labelSelector=batch%3Dpolicy`, { body: { propagationPolicy: 'Foreground' } });
    for (const name of ['c1', 'c2']) expect((await get(name)).metadata.finalizers).toEqual(['foregroundDeletion']);
    await api.ask('DELETE', `${SERVICES}?labelSelector=batch%3Dpolicy`, { body: { propagationPolicy: 'Background' } });
    expect((await api.ask('GET', `${SERVICES}?labelSelector=batch%3Dpolicy`)).body.items).toEqual([]);
  });
});

describe('who deleted what waits for its dependents', () => {
  it('is noted by the daemon, and cannot be forged', async () => {
    access.grant({ user: `ops@${NODE}`, verbs: ['READ', 'UPDATE', 'DELETE'], plural: 'services' });
    await create('noted', { annotations: { 'dtkd.dev/deletion-said-by': 'operator', 'dtkd.dev/owners-said-by': 'operator', mine: 'x' } });
    expect((await get('noted')).metadata.annotations).toEqual({ mine: 'x' });
    const path = `${SERVICES}/noted`;
    const token = 'token-of-ops';
    await api.ask('DELETE', path, { body: { propagationPolicy: 'Foreground' }, token });
    const said = 'ops/uid-of-ops@self';
    expect((await get('noted')).metadata.annotations).toEqual({ mine: 'x', 'dtkd.dev/deletion-said-by': said });
    await patch('noted', { annotations: { 'dtkd.dev/deletion-said-by': 'operator' } });
    await api.ask('PATCH', path, { body: { metadata: { annotations: null } }, ...merge, token });
    expect((await get('noted')).metadata.annotations).toEqual({ 'dtkd.dev/deletion-said-by': said });
    await remove('noted');
    expect((await get('noted')).metadata.annotations, 'the last word counts').toEqual({ 'dtkd.dev/deletion-said-by': 'operator' });
    expect((await remove('noted', { propagationPolicy: 'Background' })).body.status).toBe('Success');
  });
});
