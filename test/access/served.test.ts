import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MERGE, startTestApi, type TestApi } from '../api/fixtures.ts';
import { waitFor } from '../wait.ts';
import { OPERATOR_TOKEN, type Site, startSite } from './site.ts';

/** Access behind the real API: what it decides is what clients meet. */
const BASE = '/apis/dtkd.dev/v1/namespaces/default';
const DAEMON = '/apis/dtkd.dev/v1/daemon';

let site: Site;
let api: TestApi;
beforeAll(async () => {
  site = await startSite();
  api = await startTestApi({
    store: site.store,
    access: site.access,
    kinds: Object.fromEntries(site.access.kinds),
    subresources: Object.fromEntries(site.access.subresources),
    actions: Object.fromEntries(site.access.actions),
  });
});
afterAll(async () => {
  await site.access.stop();
  await api.close();
});

const operator = (method: string, path: string, body?: unknown) => api.ask(method, path, { token: OPERATOR_TOKEN, body });

async function login(name: string) {
  await operator('POST', `${BASE}/users`, { metadata: { name } });
  const { token } = (await operator('POST', `${BASE}/users/${name}/token`)).body;
  return (method: string, path: string, body?: unknown) =>
    api.ask(method, path, { token, body, ...(method === 'PATCH' ? { headers: { 'content-type': MERGE } } : {}) });
}

const grant = (to: string, verbs: string[], on: object) => ({ metadata: { generateName: 'c-' }, spec: { to, verbs, on } });
const resource = (name: string) => ({ metadata: { name }, spec: { model: 'web', type: 'Service' } });

describe('a user of the API', () => {
  it('sees and does what it was granted, passes it on, and loses it with its right', async () => {
    const [ops, dev] = [await login('ops'), await login('dev')];
    await operator('POST', `${BASE}/resources`, resource('front1'));
    expect((await ops('GET', `${BASE}/resources`)).body.items).toEqual([]);
    expect((await ops('GET', `${BASE}/resources/front1`)).status).toBe(404);
    const made = await operator('POST', `${BASE}/capabilities`, grant('ops@node0', ['READ', 'MANAGE'], { kind: 'resource', model: 'web' }));
    expect(made.status).toBe(201);
    expect(made.body.metadata.name).toMatch(/^c-[a-z0-9]{5}$/);
    expect((await ops('GET', `${BASE}/resources/front1`)).body.spec.model).toBe('web');
    const all = grant('dev@node0', ['READ'], { kind: 'resources' });
    expect((await ops('POST', `${BASE}/capabilities`, all)).status).toBe(403);
    const more = grant('dev@node0', ['DELETE'], { kind: 'resources', model: 'web' });
    expect((await ops('POST', `${BASE}/capabilities`, more)).body).toMatchObject({
      code: 403,
      message: expect.stringContaining('ops@node0 may not grant DELETE on resources.dtkd.dev model=web'),
    });
    const passed = await ops('POST', `${BASE}/capabilities`, grant('dev@node0', ['READ'], { kind: 'resources', model: 'web' }));
    expect(passed.body).toMatchObject({ grantor: { name: 'ops', home: 'self' }, parent: { name: made.body.metadata.name } });
    expect((await dev('GET', `${BASE}/resources`)).body.items).toHaveLength(1);
    expect((await dev('DELETE', `${BASE}/capabilities/${passed.body.metadata.name}`)).status).toBe(403);
    const revoked = await operator('DELETE', `${BASE}/capabilities/${made.body.metadata.name}`);
    expect(revoked.status).toBe(200);
    expect(String(revoked.headers['warning'])).toContain(passed.body.metadata.name);
    expect((await dev('GET', `${BASE}/resources`)).body.items).toEqual([]);
    expect((await operator('GET', `${BASE}/capabilities`)).body.items).toEqual([]);
  });

  it('has every right on what it made, and cannot say that it made something', async () => {
    const eve = await login('eve');
    const uid = (await operator('GET', `${BASE}/users/eve`)).body.metadata.uid;
    await operator('POST', `${BASE}/capabilities`, grant('eve@node0', ['CREATE'], { kind: 'models' }));
    await operator('POST', `${BASE}/capabilities`, grant('eve@node0', ['READ', 'UPDATE'], { kind: 'models', name: 'theirs' }));
    expect((await eve('POST', `${BASE}/models`, { metadata: { name: 'mine' } })).status).toBe(201);
    expect((await eve('PATCH', `${BASE}/models/mine`, { spec: { description: 'x' } })).status).toBe(200);
    const share = grant('ops@node0', ['READ'], { kind: 'models', name: 'mine' });
    expect((await eve('POST', `${BASE}/capabilities`, share)).status).toBe(201);
    await operator('POST', `${BASE}/models`, { metadata: { name: 'theirs' } });
    const forged = { metadata: { annotations: { 'dtkd.dev/creator': `eve/${uid}@self` } } };
    await eve('PATCH', `${BASE}/models/theirs`, forged);
    expect((await eve('DELETE', `${BASE}/models/theirs`)).status).toBe(403);
    expect((await eve('DELETE', `${BASE}/models/mine`)).status).toBe(200);
  });

  it('does not widen its grants by what a type extends', async () => {
    const tom = await login('tom');
    await operator('POST', `${BASE}/types`, { metadata: { name: 'secretthing' }, spec: {} });
    await operator('POST', `${BASE}/capabilities`, grant('tom@node0', ['READ'], { kind: 'resources', type: 'Service' }));
    await operator(
      'POST',
      `${BASE}/capabilities`,
      grant('tom@node0', ['READ', 'UPDATE', 'MANAGE'], { kind: 'types', name: 'secretthing' }),
    );
    expect((await tom('PATCH', `${BASE}/types/secretthing`, { spec: { description: 'x' } })).status).toBe(200);
    const extended = { spec: { extends: 'Service' } };
    expect((await tom('PATCH', `${BASE}/types/secretthing`, extended)).status).toBe(403);
    await operator('POST', `${BASE}/capabilities`, grant('tom@node0', ['MANAGE'], { kind: 'types' }));
    expect((await tom('PATCH', `${BASE}/types/secretthing`, extended)).status).toBe(200);
  });

  it('has its watches ended with the token that they began with, and no others', async () => {
    const kim = await login('kim');
    const token = async () => (await operator('POST', `${BASE}/users/kim/token`)).body.token;
    const [old, operators] = await Promise.all(
      [await token(), OPERATOR_TOKEN].map((each) => api.watch(`${BASE}/users?watch=true`, { authorization: `Bearer ${each}` })),
    );
    await waitFor(() => old?.events.length !== 0 && operators?.events.length !== 0, { what: 'the watches' });
    const fresh = await token();
    await waitFor(() => old?.ended() === true, { what: 'the end of the watch by the old token' });
    expect(operators?.ended()).toBe(false);
    expect((await kim('GET', `${BASE}/users`)).status).toBe(401);
    const again = await api.watch(`${BASE}/users?watch=true`, { authorization: `Bearer ${fresh}` });
    expect(again.answer.statusCode).toBe(200);
    again.stop();
    operators?.stop();
  });

  it('may ask who it is and what it may, and for a new token of its own', async () => {
    const ann = await login('ann');
    expect((await ann('GET', `${DAEMON}/whoami`)).body).toMatchObject({ name: 'ann', node: 'node0' });
    expect((await ann('GET', `${DAEMON}/can?verb=READ&what=resource/front1`)).body).toMatchObject({ who: 'ann@node0', allowed: false });
    expect((await ann('GET', `${DAEMON}/can?who=dev@node0&verb=READ&what=resource/front1`)).status).toBe(403);
    expect((await ann('POST', `${BASE}/users/dev/token`)).status).toBe(403);
    const { token } = (await ann('POST', `${BASE}/users/ann/token`)).body;
    expect((await ann('GET', `${DAEMON}/whoami`)).status).toBe(401);
    expect((await api.ask('GET', `${DAEMON}/whoami`, { token })).status).toBe(200);
    expect((await operator('DELETE', `${BASE}/users/ann`)).status).toBe(200);
    expect((await api.ask('GET', `${DAEMON}/whoami`, { token })).status).toBe(401);
  });
});
