import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PeerApi, PeerNode, PeerRequest } from '../../../daemon/src/catalog/federation/peer-api.types.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { FakeAccess } from '../fake-access.ts';
import { GROUP, MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi, TOKEN } from '../fixtures.ts';

const AUTHORIZATION = '/apis/authorization.k8s.io/v1';
const token = 'token-of-ops';

/** What the other node answers next, and what it was asked. */
let answer: { status: number; body: unknown } | DtkdError = { status: 200, body: {} };
const asked: PeerRequest[] = [];
const peer: PeerNode = {
  domain: parseDomainId('d'.repeat(64)),
  key: parsePeerKey('1'.repeat(64)),
  namespace: 'node1',
  reachable: true,
  suspended: false,
};
const peers: PeerApi = {
  peers: () => [peer],
  peerNamed: (namespace) => (namespace === 'node1' ? peer : undefined),
  onChange: () => () => {},
  async request(_peer, request) {
    asked.push(request);
    if (answer instanceof DtkdError) throw answer;
    const { status, body } = answer;
    async function* bytes() {
      yield Buffer.from(JSON.stringify(body));
    }
    return { status, contentType: 'application/json', warnings: [], body: bytes() };
  },
};

let api: TestApi;
const access = new FakeAccess(TOKEN);

beforeAll(async () => {
  access.addUser('ops');
  access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'services' });
  access.grant({ user: 'ops@node0', verbs: ['DELETE'], plural: 'services', name: 'web' });
  access.grant({ user: 'ops@node0', verbs: ['UPDATE'], plural: 'services', label: 'tier=front' });
  const action = Object.assign(async () => ({}), { verb: 'MANAGE' as const });
  const open = Object.assign(async () => ({}), { open: 'user' as const });
  api = await startTestApi({
    access,
    peers,
    subresources: { [`${GROUP}/dtapps/forward`]: action, [`${GROUP}/dtapps/local`]: async () => ({}) },
    actions: { tell: open, status: async () => ({}) },
  });
  await api.ask('POST', SERVICES, { body: serviceBody('fronted', { labels: { tier: 'front' } }) });
});
afterAll(() => api.close());

const post = (plural: string, kind: string, spec: unknown, as = token, group = 'authorization.k8s.io') =>
  api.ask('POST', `/apis/${group}/v1/${plural}`, { body: { apiVersion: `${group}/v1`, kind, spec }, token: as });
const can = async (attributes: object, as = token) => {
  const { body } = await post('selfsubjectaccessreviews', 'SelfSubjectAccessReview', { resourceAttributes: attributes }, as);
  return body.status;
};
const canPath = async (path: string, as = token) =>
  (await post('selfsubjectaccessreviews', 'SelfSubjectAccessReview', { nonResourceAttributes: { path, verb: 'get' } }, as)).body.status;

describe('a review of access', () => {
  it('is answered as requests are decided, with what the answer rests on', async () => {
    expect(await can({ verb: 'get', resource: 'services' })).toEqual({ allowed: true, reason: 'grant 0' });
    expect(await can({ verb: 'list', resource: 'services', namespace: 'default' })).toMatchObject({ allowed: true });
    expect(await can({ verb: 'create', resource: 'services' })).toEqual({
      allowed: false,
      reason: 'ops@node0 may not CREATE services ""',
    });
    expect(await can({ verb: 'delete', resource: 'services', name: 'web' })).toMatchObject({ allowed: true });
    expect(await can({ verb: 'delete', resource: 'services', name: 'other' })).toMatchObject({ allowed: false });
    expect(await can({ verb: 'update', resource: 'services', name: 'fronted', namespace: NODE }), 'by its labels').toMatchObject({
      allowed: true,
    });
    expect(await can({ verb: 'patch', resource: 'services', name: 'web' })).toMatchObject({ allowed: false });
    expect(await can({ verb: '*', resource: 'services' })).toMatchObject({ allowed: false });
    expect(await can({ verb: '*', resource: '*', group: '*' }, TOKEN)).toMatchObject({ allowed: true });
    expect(await can({ verb: 'get', resource: '*', group: '*' })).toMatchObject({ allowed: false });
    expect(await can({ verb: 'manage', resource: 'dtapps', group: GROUP }, TOKEN)).toMatchObject({ allowed: true });
  });

  it('says no to what nobody can do', async () => {
    expect(await can({ verb: 'create', resource: 'namespaces' }, TOKEN)).toEqual({
      allowed: false,
      reason: 'namespaces can only be used to get, list, watch',
    });
    expect(await can({ verb: 'get', resource: 'pods' }, TOKEN)).toMatchObject({ allowed: false, reason: 'there is no kind "pods"' });
    expect(await can({ verb: 'eat', resource: 'services' }, TOKEN)).toMatchObject({
      allowed: false,
      reason: expect.stringContaining('is not a verb'),
    });
  });

  it('knows subresources by the right that they need', async () => {
    const forward = { verb: 'create', group: GROUP, resource: 'dtapps', subresource: 'forward', name: 'wiki' };
    expect(await can(forward)).toMatchObject({ allowed: false, reason: expect.stringContaining('MANAGE') });
    expect(await can(forward, TOKEN)).toMatchObject({ allowed: true });
    expect(await can({ ...forward, subresource: 'none' }, TOKEN)).toMatchObject({
      allowed: false,
      reason: 'dtapps have no subresource "none"',
    });
    expect(await can({ ...forward, subresource: 'local', namespace: 'node1' })).toMatchObject({ allowed: false });
  });

  it('knows the paths that are no objects', async () => {
    for (const path of ['/version', '/healthz', '/apis', '/apis/dtkd.dev/v1', '/openapi/v3', '/apis/dtkd.dev/v1/daemon/tell']) {
      expect([path, await canPath(path)]).toMatchObject([path, { allowed: true }]);
    }
    for (const path of ['/apis/dtkd.dev/v1/daemon/status', '/anything', '/metrics']) {
      expect([path, await canPath(path)]).toMatchObject([path, { allowed: false }]);
      expect(await canPath(path, TOKEN)).toMatchObject({ allowed: true });
    }
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'nodes' });
    expect(await canPath('/metrics'), 'they are no part of the Node').toMatchObject({ allowed: false });
    access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'metrics' });
    expect(await canPath('/metrics')).toMatchObject({ allowed: true });
  });

  it('about another node is answered by that one', async () => {
    answer = { status: 200, body: { allowed: true, because: 'capability c-1' } };
    expect(await can({ verb: 'update', resource: 'services', namespace: 'node1', name: 'web' })).toEqual({
      allowed: true,
      reason: 'node1 says: capability c-1',
    });
    expect(asked.at(-1)).toMatchObject({
      method: 'GET',
      path: '/apis/dtkd.dev/v1/daemon/can?verb=UPDATE&what=services%2Fweb',
      user: { name: 'ops' },
    });
    answer = { status: 200, body: { allowed: false, reason: 'it has no rights on it' } };
    expect(await can({ verb: 'get', resource: 'services', namespace: 'node1' })).toMatchObject({
      allowed: false,
      reason: 'node1 says: it has no rights on it',
    });
    const before = asked.length;
    expect(await can({ verb: 'get', resource: 'services', namespace: 'node1' }, TOKEN)).toMatchObject({
      allowed: false,
      reason: expect.stringContaining('valid only on node0'),
    });
    expect(await can({ verb: 'get', resource: 'services', namespace: 'node9' })).toMatchObject({
      allowed: false,
      reason: 'no node "node9" is known here',
    });
    expect(asked).toHaveLength(before);
  });

  it('says so if the other node is away or answers nonsense', async () => {
    answer = new DtkdError('PEER_AWAY', 'node1 cannot be reached');
    const question = { verb: 'get', resource: 'services', namespace: 'node1' };
    expect(await can(question)).toEqual({ allowed: false, reason: '', evaluationError: 'node1 cannot be reached' });
    for (const body of [{ allowed: 'yes' }, [], { allowed: true, because: 'x'.repeat(10_000) }, 'x'.repeat(300_000)]) {
      answer = { status: 200, body };
      expect(await can(question)).toMatchObject({ allowed: false, evaluationError: expect.stringContaining('node1') });
    }
    answer = { status: 403, body: { message: 'no' } };
    expect(await can(question)).toMatchObject({ allowed: false, evaluationError: 'node1 did not say: no' });
  });
});

describe('a review of rules', () => {
  it('lists what grants say, and what is open to anybody', async () => {
    const { status, body } = await post('selfsubjectrulesreviews', 'SelfSubjectRulesReview', { namespace: 'default' });
    expect(status).toBe(201);
    expect(body.status).toMatchObject({ incomplete: true, evaluationError: 'labels' });
    expect(body.status.resourceRules).toContainEqual({ verbs: ['get'], apiGroups: ['*'], resources: ['services'], resourceNames: ['web'] });
    expect(body.status.resourceRules).toContainEqual({
      verbs: ['create'],
      apiGroups: ['authorization.k8s.io'],
      resources: ['selfsubjectaccessreviews'],
    });
    const all = await post('selfsubjectrulesreviews', 'SelfSubjectRulesReview', {}, TOKEN);
    expect(all.body.status).toEqual({
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      incomplete: false,
    });
  });

  it('of another node are its own', async () => {
    const rule = { verbs: ['get'], apiGroups: ['dtkd.dev'], resources: ['resources'] };
    answer = { status: 200, body: { resourceRules: [rule] } };
    const { body } = await post('selfsubjectrulesreviews', 'SelfSubjectRulesReview', { namespace: 'node1' });
    expect(body.status).toEqual({ resourceRules: [rule], nonResourceRules: [], incomplete: false });
    answer = { status: 200, body: { resourceRules: [{ verbs: 'x' }] } };
    expect((await post('selfsubjectrulesreviews', 'SelfSubjectRulesReview', { namespace: 'node1' })).body.status).toMatchObject({
      resourceRules: [],
      incomplete: true,
    });
  });
});

describe('reviews', () => {
  it('tell who somebody is', async () => {
    const who = async (as: string) =>
      (await post('selfsubjectreviews', 'SelfSubjectReview', {}, as, 'authentication.k8s.io')).body.status.userInfo;
    expect(await who(token)).toMatchObject({ username: 'ops@node0', uid: 'uid-of-ops', groups: ['dtkd.dev:users'] });
    expect(await who(TOKEN)).toMatchObject({ username: 'operator', groups: ['dtkd.dev:operators'], extra: { 'dtkd.dev/node': [NODE] } });
  });

  it('are refused where they are none', async () => {
    const path = `${AUTHORIZATION}/selfsubjectaccessreviews`;
    const about = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' };
    for (const spec of [
      undefined,
      {},
      { resourceAttributes: {}, nonResourceAttributes: {} },
      { resourceAttributes: 'x' },
      { resourceAttributes: { verb: 'x'.repeat(300) } },
    ]) {
      expect((await api.ask('POST', path, { body: { ...about, spec } })).status).toBe(422);
    }
    for (const body of [[], { ...about, kind: 'Other' }, { spec: {} }]) expect((await api.ask('POST', path, { body })).status).toBe(400);
    expect((await api.ask('POST', path, { raw: ' '.repeat(65_537) })).status).toBe(413);
    expect((await api.ask('POST', path, { raw: '{}', headers: { 'content-type': MERGE } })).status).toBe(415);
    expect((await api.ask('GET', path)).status).toBe(405);
    expect((await api.ask('POST', path, { body: {}, token: 'nobody' })).status).toBe(401);
  });

  it('are in discovery; nobody can act as somebody else', async () => {
    expect((await api.ask('GET', AUTHORIZATION)).body.resources).toContainEqual(
      expect.objectContaining({ name: 'selfsubjectaccessreviews', namespaced: false, verbs: ['create'] }),
    );
    expect((await api.ask('GET', SERVICES, { headers: { 'impersonate-user': 'ops' } })).status).toBe(403);
  });
});
