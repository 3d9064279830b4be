import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { FakeAccess } from '../fake-access.ts';
import { MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi, TOKEN } from '../fixtures.ts';

const access = new FakeAccess(TOKEN);
const token = 'token-of-ops';
let api: TestApi;
let owner: ApiObject;
let other: ApiObject;

beforeAll(async () => {
  access.addUser('ops');
  api = await startTestApi({ access });
  owner = (await api.ask('POST', SERVICES, { body: serviceBody('owner') })).body;
  other = (await api.ask('POST', SERVICES, { body: serviceBody('other') })).body;
});
afterEach(() => access.revoke(() => true));
afterAll(() => api.close());

const refTo = ({ metadata: { name, uid } }: ApiObject, more: object = {}) => ({ apiVersion: 'v1', kind: 'Service', name, uid, ...more });
const create = (name: string, ownerReferences: object[], as = TOKEN) =>
  api.ask('POST', SERVICES, { body: serviceBody(name, { ownerReferences }), token: as });
const setOwners = (name: string, ownerReferences: object[] | null, as = TOKEN) =>
  api.ask('PATCH', `${SERVICES}/${name}`, { body: { metadata: { ownerReferences } }, headers: { 'content-type': MERGE }, token: as });
const word = ({ body }: { body: ApiObject }) => body.metadata.annotations?.['dtkd.dev/owners-said-by'];
const grant = (verbs: Parameters<FakeAccess['grant']>[0]['verbs'], name?: string) =>
  access.grant({ user: `ops@${NODE}`, verbs, plural: 'services', ...(name === undefined ? {} : { name }) });

describe('owner references', () => {
  it('are kept as they are written, without what is empty', async () => {
    const made = await create('kept', [refTo(owner, { controller: true, blockOwnerDeletion: false })]);
    expect(made.body.metadata.ownerReferences).toEqual([refTo(owner, { controller: true, blockOwnerDeletion: false })]);
    expect(made.body.metadata.generation).toBe(1);
    expect((await setOwners('kept', null)).body.metadata).not.toHaveProperty('ownerReferences');
  });

  it('are refused field by field', async () => {
    const causes = async (...owners: object[]) => {
      const answer = await create('wrong', owners);
      expect(answer.status).toBe(422);
      return answer.body.details.causes.map((cause: { field: string }) => cause.field);
    };
    expect(await causes(refTo(owner, { controller: true }), refTo(other, { controller: true }))).toEqual(['metadata.ownerReferences']);
    expect(await causes(refTo(owner, { uid: '' }))).toEqual(['metadata.ownerReferences[0].uid']);
    expect(await causes({ apiVersion: 'v1', kind: 'Service', name: 'x' })).toEqual(['metadata.ownerReferences[0].uid']);
    expect(await causes(refTo(owner, { name: 'No Name' }))).toEqual(['metadata.ownerReferences[0].name']);
    const self = (await create('self', [])).body;
    expect((await setOwners('self', [refTo(self)])).body.details.causes[0].field).toBe('metadata.ownerReferences[0].uid');
  });

  it('need DELETE on what they bind; to free it altogether needs none', async () => {
    await create('bound', []);
    grant(['READ', 'UPDATE'], 'bound');
    expect(await setOwners('bound', [refTo(owner)], token)).toMatchObject({ status: 403, body: { reason: 'Forbidden' } });
    expect((await api.ask('GET', `${SERVICES}/bound`)).body.metadata.ownerReferences).toBeUndefined();
    await setOwners('bound', [refTo(owner), refTo(other)]);
    expect((await setOwners('bound', [refTo(owner)], token)).status, 'it may end sooner').toBe(403);
    expect((await setOwners('bound', [refTo(other), refTo(owner)], token)).status, 'another order').toBe(200);
    expect((await setOwners('bound', null, token)).status).toBe(200);
    grant(['DELETE'], 'bound');
    expect((await setOwners('bound', [refTo(owner)], token)).status).toBe(200);
  });

  it('need UPDATE on an owner that they hold back', async () => {
    grant(['CREATE', 'READ']);
    const blocked = await create('blocking', [refTo(owner, { blockOwnerDeletion: true })], token);
    expect(blocked).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('blockOwnerDeletion needs UPDATE on services "owner"') },
    });
    expect((await create('blocking', [refTo(owner)], token)).status).toBe(201);
    const later = () => setOwners('blocking', [refTo(owner, { blockOwnerDeletion: true })], token);
    expect((await later()).status).toBe(403);
    grant(['UPDATE'], 'owner');
    expect((await later()).status).toBe(200);
    access.revoke(({ name }) => name === 'owner');
    expect((await later()).status, 'it does already').toBe(200);
  });

  it('bear the word of who said them last, which no document can say', async () => {
    const made = await create('worded', [refTo(owner)]);
    expect(word(made)).toBe('operator');
    grant(['READ', 'UPDATE', 'DELETE'], 'worded');
    expect(word(await setOwners('worded', [refTo(owner)], token)), 'the same ones').toBe('operator');
    expect(word(await setOwners('worded', [refTo(owner), refTo(other)], token))).toBe('ops/uid-of-ops@self');
    const forged = await api.ask('PATCH', `${SERVICES}/worded`, {
      body: { metadata: { annotations: { 'dtkd.dev/owners-said-by': 'operator' } } },
      headers: { 'content-type': MERGE },
    });
    expect(word(forged)).toBe('ops/uid-of-ops@self');
    const put = await api.ask('PUT', `${SERVICES}/worded`, { body: serviceBody('worded') });
    expect(put.body.metadata.annotations).toBeUndefined();
    expect(put.body.metadata.ownerReferences).toBeUndefined();
  });
});
