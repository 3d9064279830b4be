import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CREATOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import { waitFor } from '../../wait.ts';
import { MERGE } from '../fixtures.ts';
import { keyOf, startNode, type TestNode, Wires } from './pair.ts';

const GROUP = 'dtkd.dev';
const models = (namespace: string) => `/apis/${GROUP}/v1/namespaces/${namespace}/models`;
const model = (name: string, extra: object = {}) => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'Model',
  metadata: { name, ...extra },
  spec: { description: `about ${name}` },
});
const token = 'token-of-ops';

const wires = new Wires(['node0', 'node1']);
/** Streams of node1 that go on. */
let tails = 0;
let node0: TestNode;
let node1: TestNode;

beforeAll(async () => {
  node0 = await startNode(wires, 'node0');
  node1 = await startNode(wires, 'node1', {
    subresources: {
      [`${GROUP}/models/effective`]: Object.assign(
        async ({ object }: { object?: unknown }) => ({ metadata: { namespace: 'node1' }, had: object !== undefined }),
        {
          verb: 'READ' as const,
        },
      ),
      [`${GROUP}/models/local`]: async () => ({}),
      [`${GROUP}/models/lines`]: Object.assign(
        async () => ({
          stream: (async function* () {
            yield { line: 1 };
            yield { line: 2 };
          })(),
        }),
        { verb: 'READ' as const },
      ),
      [`${GROUP}/models/tail`]: Object.assign(
        async ({ signal }: { signal: AbortSignal }) => ({
          stream: (async function* () {
            tails += 1;
            yield { line: 1 };
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            tails -= 1;
          })(),
        }),
        { verb: 'READ' as const },
      ),
    },
  });
  node0.access.addUser('ops');
});

afterEach(() => {
  node1.access.revoke(() => true);
  node1.audited.length = 0;
  node0.audited.length = 0;
});

afterAll(async () => {
  await node0.api.close();
  await node1.api.close();
});

describe('objects of another node', () => {
  it('are read and written there, as whoever asks', async () => {
    const collection = models('node1');
    const denied = await node0.api.ask('POST', collection, { token, body: model('web', { namespace: 'node1' }) });
    expect(denied).toMatchObject({ status: 403, body: { message: expect.stringContaining('ops@node0 may not CREATE models "web"') } });
    expect(denied.body.details.next).toContain('Ask the operator of node1 for the right: dtkd grant ops@node0 CREATE');
    expect(node1.audited).toEqual([
      {
        who: 'ops@node0',
        home: keyOf('node0'),
        verb: 'create',
        what: `${GROUP}/models/node1/web`,
        outcome: 'denied',
        because: expect.any(String),
      },
    ]);

    node1.access.grant({ user: 'ops@node0', verbs: ['CREATE'], plural: 'models' });
    const made = await node0.api.ask('POST', collection, { token, body: model('web', { namespace: 'node1' }) });
    expect(made).toMatchObject({
      status: 201,
      body: { metadata: { name: 'web', namespace: 'node1', resourceVersion: expect.any(String) } },
    });
    expect(made.body.metadata.annotations[CREATOR_ANNOTATION]).toBe(`ops/uid-of-ops@${keyOf('node0')}`);
    expect(await node1.api.ask('GET', `${models('default')}/web`)).toMatchObject({
      status: 200,
      body: { spec: { description: 'about web' } },
    });

    const read = await node0.api.ask('GET', `${collection}/web`, { token });
    expect(read.body).toEqual(made.body);
    const table = await node0.api.ask('GET', `${collection}/web`, {
      token,
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    expect(table.body).toMatchObject({ kind: 'Table', rows: [{ cells: ['web', 'about web', expect.any(String)] }] });

    const patched = await node0.api.ask('PATCH', `${collection}/web`, {
      token,
      body: { metadata: { namespace: 'node1' }, spec: { description: 'changed' } },
      headers: { 'content-type': MERGE },
    });
    expect(patched).toMatchObject({
      status: 200,
      body: { metadata: { namespace: 'node1', generation: 2 }, spec: { description: 'changed' } },
    });

    const stale = await node0.api.ask('PUT', `${collection}/web`, { token, body: made.body });
    expect(stale).toMatchObject({ status: 409, body: { details: { code: 'CONFLICT' } } });
    const put = await node0.api.ask('PUT', `${collection}/web`, { token, body: { ...patched.body, spec: {} } });
    expect(put).toMatchObject({ status: 200, body: { metadata: { namespace: 'node1', generation: 3 } } });

    const gone = await node0.api.ask('DELETE', `${collection}/web`, {
      token,
      body: { preconditions: { resourceVersion: put.body.metadata.resourceVersion } },
    });
    expect(gone).toMatchObject({ status: 200, body: { kind: 'Status', status: 'Success' } });
    expect((await node0.api.ask('GET', `${collection}/web`, { token })).status).toBe(404);
    expect(node1.audited.at(-1)).toMatchObject({ verb: 'get', outcome: 'failed', because: 'NOT_FOUND' });
    expect(node0.audited.map(({ verb, outcome }) => `${verb} ${outcome}`)).toEqual([
      'create denied',
      'create allowed',
      'patch allowed',
      'update allowed',
      'delete allowed',
    ]);
  });

  it('take what was written as own ones do: fields said twice, types of bodies, the namespace in patches', async () => {
    node1.access.grant({ user: 'ops@node0', verbs: ['CREATE', 'READ', 'UPDATE', 'DELETE'], plural: 'models' });
    const collection = models('node1');
    const twice = '{"metadata":{"name":"web"},"spec":{"description":"a","description":"b"}}';
    const refused = await node0.api.ask('POST', `${collection}?fieldValidation=Strict`, { token, raw: twice });
    expect(refused).toMatchObject({
      status: 400,
      body: {
        message: expect.stringContaining('duplicate field "spec.description"'),
        details: { causes: [{ field: 'spec.description' }] },
      },
    });
    const warned = await node0.api.ask('POST', collection, { token, raw: twice });
    expect(warned).toMatchObject({ status: 201, body: { spec: { description: 'b' } } });
    expect(warned.headers['warning']).toContain('duplicate field \\"spec.description\\": the last one counts');
    const patch = (contentType: string, raw: string) =>
      node0.api.ask('PATCH', `${collection}/web`, { token, raw, headers: { 'content-type': contentType } });
    expect(await patch(`${MERGE}`, '{"spec":{"description":"c"},"spec":{}}')).toMatchObject({
      status: 200,
      headers: { warning: expect.stringContaining('duplicate field') },
    });

    for (const [type, raw] of [
      ['application/apply-patch+yaml', 'spec: {}'],
      ['application/apply-patch+yaml', '{}'],
      ['application/strategic-merge-patch+json', '{}'],
    ] as const) {
      expect(await patch(type, raw), `${type} ${raw}`).toMatchObject({ status: 415, body: { reason: 'UnsupportedMediaType' } });
    }
    const protobuf = { 'content-type': 'application/vnd.kubernetes.protobuf' };
    expect(await node0.api.ask('POST', collection, { token, raw: 'k8s\0', headers: protobuf })).toMatchObject({
      status: 415,
      body: { details: { next: expect.stringContaining('kubectl create -f FILE') } },
    });

    const steps = (value: string) =>
      patch(
        'application/json-patch+json',
        JSON.stringify([
          { op: 'test', path: '/metadata/namespace', value },
          { op: 'add', path: '/metadata/labels', value: { of: value } },
        ]),
      );
    expect(await steps('node1')).toMatchObject({ status: 200, body: { metadata: { namespace: 'node1', labels: { of: 'node1' } } } });
    for (const other of ['default', 'node0']) expect((await steps(other)).status).toBe(400);
    expect((await node0.api.ask('DELETE', `${collection}/web`, { token })).status).toBe(200);
  });

  it('are deleted by the set as far as rights go', async () => {
    for (const name of ['a', 'b', 'c']) await node1.api.ask('POST', models('default'), { body: model(name, { labels: { of: name } }) });
    node1.access.grant(
      { user: 'ops@node0', verbs: ['READ'], plural: 'models' },
      { user: 'ops@node0', verbs: ['DELETE'], plural: 'models', name: 'b' },
    );
    const answer = await node0.api.ask('DELETE', `${models('node1')}?fieldSelector=metadata.namespace%3Dnode1`, { token });
    expect(answer).toMatchObject({ status: 200, body: { message: '1 deleted' } });
    const left = await node1.api.ask('GET', models('default'));
    expect(left.body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(['a', 'c']);
    await node1.api.ask('DELETE', models('default'));
  });

  it('have their subresources there, if those are for others', async () => {
    await node1.api.ask('POST', models('default'), { body: model('sub') });
    node1.access.grant({ user: 'ops@node0', verbs: ['READ', 'MANAGE'], plural: 'models' });
    const path = `${models('node1')}/sub`;
    expect(await node0.api.ask('GET', `${path}/effective`, { token })).toMatchObject({
      status: 200,
      body: { metadata: { namespace: 'node1' }, had: true },
    });
    expect(await node0.api.ask('POST', `${path}/local`, { token })).toMatchObject({ status: 403 });
    expect((await node0.api.ask('POST', `${path}/lines`, { token })).text).toBe('{"line":1}\n{"line":2}\n');
    node1.access.revoke(() => true);
    expect((await node0.api.ask('GET', `${path}/effective`, { token })).status).toBe(404);
    await node1.api.ask('DELETE', models('default'));
  });

  it('stream nothing more to a user who was deleted, of which the other node knows nothing', async () => {
    await node1.api.ask('POST', models('default'), { body: model('tailed') });
    node1.access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'models' });
    const tail = await node0.api.open('GET', `${models('node1')}/tailed/tail`, { token });
    tail.on('error', () => {});
    await new Promise((resolve) => tail.once('data', resolve));
    node0.access.users.delete(token);
    node0.access.changed();
    await waitFor(() => tail.destroyed && tails === 0, { what: 'the end of the stream at both nodes' });
    node0.access.addUser('ops');
    await node1.api.ask('DELETE', models('default'));
  });

  it('are not for the operator, whose token counts here only', async () => {
    for (const [method, path] of [
      ['GET', `${models('node1')}/web`],
      ['DELETE', `${models('node1')}/web`],
      ['DELETE', `/apis/${GROUP}/v1/namespaces/node1/capabilities/c`],
    ] as const) {
      const answer = await node0.api.ask(method, path);
      expect(answer).toMatchObject({ status: 403, body: { details: { owner: 'node1' } } });
      expect(answer.body.message).toContain("the operator's token is valid only on node0. Use a user's token: dtkd user add NAME");
    }
    expect(node1.audited).toEqual([]);
  });

  it('are nowhere if the node is unknown, and replicas are read here', async () => {
    expect(await node0.api.ask('GET', `${models('node9')}/web`, { token })).toMatchObject({
      status: 404,
      body: { message: 'no node "node9" is known here. Known are node0, node1.' },
    });
    expect((await node0.api.ask('GET', `/apis/${GROUP}/v1/namespaces/node1/users/x`, { token })).status).toBe(404);
    expect(node1.audited).toEqual([]);
  });

  it('are not looked for under a bare name that several claim, and each of them is named', async () => {
    wires.setClaimants(['web-222222', 'web-111111'], 'web');
    expect(await node0.api.ask('GET', `${models('web')}/m`, { token })).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining('2 nodes claim the name "web". Name one of: web-111111, web-222222.') },
    });
    wires.setClaimants(['web', 'web-111111'], 'web');
    expect(await node0.api.ask('GET', `${models('web')}/m`, { token })).toMatchObject({ status: 503 });
    wires.setClaimants([], 'web');
  });

  it('cannot be had while the owner is away, which is said', async () => {
    wires.away.add('node1');
    const answer = await node0.api.ask('GET', `${models('node1')}/web`, { token });
    expect(answer).toMatchObject({ status: 503, body: { details: { code: 'PEER_AWAY', node: 'node1' } } });
    expect(answer.body.message).toContain('node "node1" cannot be reached now');
    expect(wires.wanted).toContain(keyOf('node1'));
    wires.away.delete('node1');
    await waitFor(async () => (await node0.api.ask('GET', `${models('node1')}/web`, { token })).status === 404);
  });
});

describe('what a member may ask for its users', () => {
  const user = { type: 'user', home: 'self', name: 'ops', uid: 'uid-of-ops', display: 'ops@node0' } as const;

  async function ask(path: string, accept = 'application/json', method: 'GET' | 'POST' = 'GET') {
    const [peer] = node0.peers.peers();
    if (peer === undefined) throw new Error('no peer');
    const signal = new AbortController().signal;
    const response = await node0.peers.request(peer, { user, method, path, accept, timeoutMs: 60_000, signal });
    const parts: Uint8Array[] = [];
    for await (const part of response.body) parts.push(part);
    return { ...response, text: Buffer.concat(parts).toString() };
  }

  it('is in its namespace, or a question about itself', async () => {
    node1.access.grant({ user: 'ops@node0', verbs: ['READ', 'MANAGE'], plural: '*' });
    for (const path of [
      models('node1'),
      models('other'),
      `/apis/${GROUP}/v1/models`,
      `/apis/${GROUP}/v1/nodes`,
      `/apis/${GROUP}/v1/daemon/status`,
      '/api/v1/namespaces',
      '/apis/dtkd.dev/v1/namespaces/default/../../daemon/status',
    ]) {
      const answer = await ask(path);
      expect([path, answer.status]).toEqual([path, 403]);
    }
    expect((await ask(models('default'))).status).toBe(200);
    expect((await ask(`/apis/${GROUP}/v1/daemon/whoami`)).status).toBe(404);
    const peers = await ask('/apis/sid.sightlineinnovation.com/v1/namespaces/default/dtpeers');
    expect(JSON.parse(peers.text).items).toEqual([]);
  });

  it('comes as rows, page by page', async () => {
    for (const name of ['a', 'b', 'c']) await node1.api.ask('POST', models('default'), { body: model(name) });
    const rows = 'application/vnd.dtkd.rows';
    expect(await ask(models('default'), rows)).toMatchObject({ status: 403, text: expect.stringContaining('"code":"FORBIDDEN"') });
    node1.access.grant({ user: 'ops@node0', verbs: ['READ'], plural: 'models', name: 'a' });
    node1.access.grant({ user: 'ops@node0', verbs: ['DISCOVER'], plural: 'models', name: 'b' });
    const lines = (await ask(models('default'), rows)).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      { metadata: { resourceVersion: String(node1.api.store.version()) } },
      expect.objectContaining({ spec: { description: 'about a' } }),
      {
        apiVersion: `${GROUP}/v1`,
        kind: 'Model',
        metadata: {
          name: 'b',
          namespace: 'node1',
          uid: expect.any(String),
          resourceVersion: expect.any(String),
          creationTimestamp: expect.any(String),
        },
      },
      { end: {} },
    ]);
    const first = (await ask(`${models('default')}?limit=1`, rows)).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first).toHaveLength(3);
    const next = encodeURIComponent(first[2].end.continue);
    const second = (await ask(`${models('default')}?limit=1&continue=${next}`, rows)).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(second[1].metadata.name).toBe('b');
    await node1.api.ask('DELETE', models('default'));
  });

  it('is asked for users of the asking node only', async () => {
    const [peer] = node0.peers.peers();
    if (peer === undefined) throw new Error('no peer');
    const request = {
      method: 'GET',
      path: models('default'),
      accept: '',
      timeoutMs: 60_000,
      signal: new AbortController().signal,
    } as const;
    await expect(node0.peers.request(peer, { ...request, user: { ...user, home: keyOf('node7') } })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});
