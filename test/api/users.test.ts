import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuditRecord } from '../../daemon/src/access/access.types.ts';
import { askFor } from '../../daemon/src/api/views/refusals.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { KINDS } from '../../protocol/kinds/index.ts';
import { CREATOR_ANNOTATION } from '../../protocol/rights/principal.ts';
import { waitFor } from '../wait.ts';
import { FakeAccess, localUser } from './fake-access.ts';
import { JSON_PATCH, MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi, TOKEN } from './fixtures.ts';

const token = 'token-of-ops';
const RESOURCES = '/apis/dtkd.dev/v1/namespaces/default/resources';
const access = new FakeAccess(TOKEN);
const audited: AuditRecord[] = [];
let api: TestApi;

const grant = (verbs: Parameters<FakeAccess['grant']>[0]['verbs'], about: { plural?: string; name?: string; label?: string } = {}) =>
  access.grant({ user: 'ops@node0', verbs, plural: 'services', ...about });
const resource = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'dtkd.dev/v1',
  kind: 'Resource',
  metadata: { name, ...metadata },
  spec: { model: 'web', type: 'Service', ...spec },
});
const names = (items: { metadata: { name: string } }[]) => items.map(({ metadata }) => metadata.name);

beforeAll(async () => {
  const action = async () => ({ done: true });
  api = await startTestApi({
    access,
    audit: { record: (line) => void audited.push(line) },
    actions: { status: action, whoami: Object.assign(action.bind(null), { open: 'user' as const }) },
    subresources: {
      '/services/logs': Object.assign(async ({ object }: { object?: unknown }) => ({ had: object !== undefined }), {
        verb: 'READ' as const,
      }),
      '/services/tail': Object.assign(
        async ({ signal }: { signal: AbortSignal }) => ({
          stream: (async function* () {
            yield { line: 1 };
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
          })(),
        }),
        { verb: 'READ' as const },
      ),
      '/services/reset': async () => ({ done: true }),
      '/services/found': Object.assign(async () => ({ done: true }), { makes: true }),
    },
    kinds: {
      '/endpoints': {
        delete: async ({ metadata }) => {
          if (metadata.name === 'kept') throw new DtkdError('CONFLICT', 'it is in use');
          return undefined;
        },
      },
    },
  });
  access.addUser('ops');
  for (const tier of ['front', 'back']) {
    for (const index of [1, 2]) await api.ask('POST', SERVICES, { body: serviceBody(`${tier}${index}`, { labels: { tier } }) });
  }
});

afterEach(() => {
  access.revoke(() => true);
  audited.length = 0;
});

afterAll(() => api.close());

describe('reading', () => {
  it('shows what grants show, in every form', async () => {
    grant(['READ'], { label: 'tier=front' });
    grant(['DISCOVER'], { name: 'back1' });
    const list = await api.ask('GET', SERVICES, { token });
    expect(names(list.body.items)).toEqual(['back1', 'front1', 'front2']);
    expect(list.body.items[0]).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'back1',
        namespace: NODE,
        uid: expect.any(String),
        resourceVersion: expect.any(String),
        creationTimestamp: expect.any(String),
      },
    });
    expect(list.body.items[1].spec).toBeDefined();
    expect((await api.ask('GET', `${SERVICES}/back1`, { token })).body).toEqual(list.body.items[0]);
    expect((await api.ask('GET', `${SERVICES}/front1`, { token })).body).toEqual(list.body.items[1]);
    expect((await api.ask('GET', `${SERVICES}/back2`, { token })).body).toEqual(
      // the very answer for what is not there
      JSON.parse(JSON.stringify((await api.ask('GET', `${SERVICES}/back9`, { token })).body).replaceAll('back9', 'back2')),
    );

    const table = await api.ask('GET', SERVICES, { token, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    expect(table.body.rows.map(({ cells }: { cells: unknown[] }) => cells[0])).toEqual(['back1', 'front1', 'front2']);
    expect(JSON.stringify(table.body.rows[0])).not.toContain('tier');
    const partial = await api.ask('GET', SERVICES, {
      token,
      headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
    });
    expect(partial.body.items[0].metadata.labels).toBeUndefined();
    expect(partial.body.items[1].metadata.labels).toEqual({ tier: 'front' });

    const first = await api.ask('GET', `${SERVICES}?limit=1`, { token });
    expect(names(first.body.items)).toEqual(['back1']);
    const second = await api.ask('GET', `${SERVICES}?limit=2&continue=${encodeURIComponent(first.body.metadata.continue)}`, { token });
    expect(names(second.body.items)).toEqual(['front1', 'front2']);
    expect(second.body.metadata.continue).toBeUndefined();
  });

  it('tells nothing of what shows by name alone through selectors', async () => {
    grant(['DISCOVER']);
    expect(names((await api.ask('GET', SERVICES, { token })).body.items)).toHaveLength(4);
    for (const query of ['labelSelector=tier%3Dback', 'labelSelector=tier%21%3Dback', 'labelSelector=%21other']) {
      expect((await api.ask('GET', `${SERVICES}?${query}`, { token })).body.items).toEqual([]);
    }
    const byName = await api.ask('GET', `${SERVICES}?fieldSelector=metadata.name%3Dback1,metadata.namespace%3D${NODE}`, { token });
    expect(names(byName.body.items)).toEqual(['back1']);
    const watch = await api.watch(`${SERVICES}?watch=true&allowWatchBookmarks=true&labelSelector=tier%3Dback`, {
      authorization: `Bearer ${token}`,
    });
    await waitFor(() => watch.events.length > 0);
    expect(watch.events[0].type).toBe('BOOKMARK');
    watch.stop();
  });

  it('makes tables of every kind of object that shows by name alone', async () => {
    const kinds = KINDS.filter((kind) => kind.scope === 'Namespaced' && kind.derived === undefined);
    for (const kind of kinds) {
      const path = `${kind.group === '' ? '/api' : `/apis/${kind.group}`}/${kind.version}/namespaces/default/${kind.plural}`;
      const object = {
        apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
        kind: kind.kind,
        metadata: {
          name: 'shown',
          namespace: NODE,
          uid: '',
          resourceVersion: '',
          generation: 1,
          creationTimestamp: '',
          labels: { secret: 'x' },
        },
        spec: { description: 'secret' },
        status: { x: 'secret' },
      };
      await api.store.transact((tx) => tx.put(object));
      access.grant({ user: 'ops@node0', verbs: ['DISCOVER'], plural: kind.plural, name: 'shown' });
      const answer = await api.ask('GET', path, { token, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
      expect([kind.plural, answer.status, answer.body.rows.length]).toEqual([kind.plural, 200, 1]);
      expect(answer.text).not.toContain('secret');
      const ref = { group: kind.group, plural: kind.plural, namespace: NODE, name: 'shown' };
      await api.store.transact((tx) => tx.delete(ref));
    }
  });
});

describe('writing', () => {
  it('needs the right for it; who may not know of an object is told that there is none', async () => {
    expect((await api.ask('DELETE', `${SERVICES}/front1`, { token })).status).toBe(404);
    expect((await api.ask('PATCH', `${SERVICES}/front1`, { token, body: {}, headers: { 'content-type': MERGE } })).status).toBe(404);
    grant(['READ']);
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PATCH', {}],
      ['PUT', serviceBody('front1')],
    ] as const) {
      const answer = await api.ask(method, `${SERVICES}/front1`, {
        token,
        body,
        headers: { 'content-type': method === 'PATCH' ? MERGE : 'application/json' },
      });
      expect(answer).toMatchObject({ status: 403, body: { details: { code: 'FORBIDDEN' } } });
      expect(answer.body.message).toContain('Ask the operator of node0 for the right: dtkd grant ops@node0');
    }
    expect((await api.ask('POST', SERVICES, { token, body: serviceBody('new') })).status).toBe(403);
    expect((await api.ask('POST', SERVICES, { token, body: serviceBody('front1') })).status).toBe(403);
    expect(audited.map(({ verb, outcome }) => `${verb} ${outcome}`)).toEqual([
      'delete denied',
      'patch denied',
      'delete denied',
      'patch denied',
      'update denied',
      'create denied',
      'create denied',
    ]);
  });

  it('shows no more of an object than reading does', async () => {
    grant(['UPDATE', 'DELETE'], { name: 'back1' });
    const patched = await api.ask('PATCH', `${SERVICES}/back1`, {
      token,
      body: { metadata: { annotations: { note: 'x' } } },
      headers: { 'content-type': MERGE },
    });
    expect(patched.status).toBe(200);
    expect(patched.body.spec).toBeUndefined();
    expect(patched.body.metadata.annotations).toBeUndefined();
    const test = [{ op: 'test', path: '/metadata/labels/tier', value: 'front' }];
    expect(await api.ask('PATCH', `${SERVICES}/back1`, { token, body: test, headers: { 'content-type': JSON_PATCH } })).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('may not READ') },
    });
  });

  it('makes its creator the creator, whatever documents say', async () => {
    grant(['CREATE']);
    const creator = 'ops/uid-of-ops@self';
    const claimed = { annotations: { [CREATOR_ANNOTATION]: 'root/1@self', kept: 'yes' } };
    const made = await api.ask('POST', SERVICES, { token, body: serviceBody('mine', claimed) });
    expect(made).toMatchObject({ status: 201, body: { metadata: { annotations: { [CREATOR_ANNOTATION]: creator, kept: 'yes' } } } });
    access.revoke(() => true);

    const replaced = await api.ask('PUT', `${SERVICES}/mine`, { token, body: serviceBody('mine', { annotations: {} }) });
    expect(replaced.body.metadata.annotations).toEqual({ [CREATOR_ANNOTATION]: creator });
    for (const annotations of [{ [CREATOR_ANNOTATION]: 'root/1@self' }, { [CREATOR_ANNOTATION]: null }]) {
      const patched = await api.ask('PATCH', `${SERVICES}/mine`, {
        body: { metadata: { annotations } },
        headers: { 'content-type': MERGE },
      });
      expect(patched.body.metadata.annotations).toEqual({ [CREATOR_ANNOTATION]: creator });
    }
    const removal = [{ op: 'remove', path: '/metadata/annotations' }];
    expect((await api.ask('PATCH', `${SERVICES}/mine`, { body: removal, headers: { 'content-type': JSON_PATCH } })).body).toMatchObject({
      metadata: { annotations: { [CREATOR_ANNOTATION]: creator } },
    });
    const ours = await api.ask('POST', SERVICES, { body: serviceBody('ours', claimed) });
    expect(ours.body.metadata.annotations).toEqual({ kept: 'yes' });
    expect((await api.ask('DELETE', `${SERVICES}/mine`, { token })).status).toBe(200);
    await api.ask('DELETE', `${SERVICES}/ours`);
  });

  it('moves no object from one grant into another', async () => {
    const change = (body: object) => api.ask('PATCH', `${RESOURCES}/r`, { token, body, headers: { 'content-type': MERGE } });
    await api.ask('POST', RESOURCES, { body: resource('r', {}, { labels: { tier: 'front' } }) });
    grant(['READ', 'UPDATE'], { plural: 'resources', label: 'tier=front' });
    expect((await change({ spec: { description: 'fine' } })).status).toBe(200);
    for (const body of [{ metadata: { labels: { tier: 'back' } } }, { metadata: { labels: null } }]) {
      expect(await change(body)).toMatchObject({
        status: 403,
        body: { message: expect.stringContaining('would change what ops@node0 may do with it') },
      });
    }
    // the same rights before and after
    expect((await change({ metadata: { labels: { other: 'x' } }, spec: { type: 'Site', model: 'other', parents: ['p'] } })).status).toBe(
      200,
    );
    grant(['DELETE'], { plural: 'resources', label: 'tier=back' });
    grant(['READ', 'UPDATE'], { plural: 'resources', label: 'tier=back' });
    expect((await change({ metadata: { labels: { tier: 'back' } } })).status).toBe(403);
    grant(['MANAGE'], { plural: 'resources', name: 'r' });
    expect((await change({ metadata: { labels: { tier: 'back' } } })).status).toBe(200);
    await api.ask('DELETE', `${RESOURCES}/r`);
  });

  it('tells by a trial nothing of what may not be read', async () => {
    const made = await api.ask('POST', SERVICES, { body: serviceBody('guessed', { annotations: { pin: '1234' } }) });
    grant(['UPDATE'], { name: 'guessed' });
    const guess = (pin: string) =>
      api.ask('PATCH', `${SERVICES}/guessed?dryRun=All`, {
        token,
        body: { metadata: { annotations: { pin } } },
        headers: { 'content-type': MERGE },
      });
    const [wrong, right] = [await guess('1111'), await guess('1234')];
    expect(right.body).toEqual(wrong.body);
    expect(right.body.metadata.resourceVersion).toBe(made.body.metadata.resourceVersion);
    await api.ask('DELETE', `${SERVICES}/guessed`);
  });

  it('is decided on what is stored when it is written', async () => {
    await api.ask('POST', SERVICES, { body: serviceBody('moving', { labels: { tier: 'front' } }) });
    grant(['UPDATE', 'DELETE', 'READ'], { label: 'tier=front' });
    // all are under way at once, and have read what there was before; the first transaction waits for the others to stand in line
    const transactions = vi.spyOn(api.store, 'transact');
    const [moved, changed, removed] = await Promise.all([
      api.store.transact(async (tx) => {
        const ref = { group: '', plural: 'services', namespace: NODE, name: 'moving' };
        const stored = await tx.get(ref);
        if (stored === undefined) throw new Error('not there');
        await waitFor(() => transactions.mock.calls.length === 3);
        return tx.put({ ...stored, metadata: { ...stored.metadata, labels: { tier: 'hidden' } } });
      }),
      api.ask('PATCH', `${SERVICES}/moving`, {
        token,
        body: { metadata: { annotations: { a: 'b' } } },
        headers: { 'content-type': MERGE },
      }),
      api.ask('DELETE', `${SERVICES}/moving`, { token }),
    ]);
    transactions.mockRestore();
    expect(moved.metadata.labels).toEqual({ tier: 'hidden' });
    expect(changed.status).toBe(404);
    expect(removed.status).toBe(404);
    expect((await api.ask('GET', `${SERVICES}/moving`)).body.metadata.annotations).toBeUndefined();
    await api.ask('DELETE', `${SERVICES}/moving`);
  });

  it('deploys on a node only with EXECUTE there', async () => {
    grant(['CREATE', 'READ', 'UPDATE', 'MANAGE'], { plural: 'resources' });
    const deployed = resource('d', { parents: ['node/node0'] });
    expect(await api.ask('POST', RESOURCES, { token, body: deployed })).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('may not EXECUTE nodes "node0"') },
    });
    expect((await api.ask('POST', RESOURCES, { token, body: resource('d') })).status).toBe(201);
    const change = { token, body: { spec: { parents: ['node/node0'] } }, headers: { 'content-type': MERGE } };
    expect((await api.ask('PATCH', `${RESOURCES}/d`, change)).status).toBe(403);
    grant(['EXECUTE'], { plural: 'nodes', name: 'node0' });
    expect((await api.ask('PATCH', `${RESOURCES}/d`, change)).status).toBe(200);
    // what is deployed already may be changed otherwise
    access.revoke(({ plural }) => plural === 'nodes');
    expect((await api.ask('PATCH', `${RESOURCES}/d`, { ...change, body: { spec: { description: 'x' } } })).status).toBe(200);
    await api.ask('DELETE', `${RESOURCES}/d`);
  });

  it('says where an object without a namespace can be changed, if not here', async () => {
    const metadata = { name: 'node1', uid: 'u', resourceVersion: '3', generation: 1, creationTimestamp: '2020-01-01T00:00:00Z' };
    await api.store.transact((tx) => tx.put({ apiVersion: 'dtkd.dev/v1', kind: 'Node', metadata, spec: {} }, { origin: 'replica' }));
    grant(['DISCOVER'], { plural: 'nodes' });
    const change = { token, body: { spec: { tags: ['web'] } }, headers: { 'content-type': MERGE } };
    const refused = await api.ask('PATCH', '/apis/dtkd.dev/v1/nodes/node1', change);
    expect(refused).toMatchObject({ status: 403, body: { details: { next: 'It can be changed on node1.' } } });
  });

  it('deletes of a collection what it may', async () => {
    for (const name of ['x1', 'x2', 'y1'])
      await api.ask('POST', SERVICES, { body: serviceBody(name, { labels: { of: name.slice(0, 1) } }) });
    grant(['DELETE'], { label: 'of=x' });
    // what is only known by name is not chosen by what is in it
    expect((await api.ask('DELETE', `${SERVICES}?labelSelector=of%3Dx`, { token })).body.message).toBe('0 deleted');
    expect((await api.ask('DELETE', SERVICES, { token })).body.message).toBe('2 deleted');
    expect((await api.ask('GET', `${SERVICES}/y1`)).status).toBe(200);
    await api.ask('DELETE', `${SERVICES}/y1`);
  });

  it('checks fields and dry runs for users as for the operator', async () => {
    grant(['CREATE', 'READ']);
    const wrong = { ...serviceBody('dry'), nonsense: 1 };
    expect((await api.ask('POST', `${SERVICES}?fieldValidation=Strict`, { token, body: wrong })).status).toBe(400);
    expect((await api.ask('POST', `${SERVICES}?dryRun=All`, { token, body: wrong })).headers['warning']).toContain('nonsense');
    expect((await api.ask('GET', `${SERVICES}/dry`, { token })).status).toBe(404);
  });
});

it('sends nobody for a right that cannot be granted', () => {
  const ask = (verb: 'CREATE' | 'READ') => askFor(NODE, localUser('ops'), verb, { group: 'dtkd.dev', plural: 'capabilities' });
  expect(ask('CREATE')).toBe('Ask the operator of node0 to do it, or to grant you MANAGE with these rights on its objects.');
  expect(ask('READ')).toBe('Ask the operator of node0 for the right: dtkd grant ops@node0 READ --on capability');
});

describe('actions', () => {
  const DAEMON = '/apis/dtkd.dev/v1/daemon';

  it("are the operator's, unless they are open", async () => {
    expect(await api.ask('GET', `${DAEMON}/status`, { token })).toMatchObject({
      status: 403,
      body: { message: '"status" of node0 is for its operator, not for ops@node0. Ask the operator of node0 to do it.' },
    });
    expect((await api.ask('GET', `${DAEMON}/whoami`, { token })).body).toEqual({ done: true });
    expect((await api.ask('GET', `${DAEMON}/status`)).body).toEqual({ done: true });
  });

  it("that make their object are the operator's, and tell nothing of objects that are there", async () => {
    for (const name of ['front1', 'nothing']) {
      expect(await api.ask('POST', `${SERVICES}/${name}/found`, { token })).toMatchObject({
        status: 403,
        body: { message: '"found" of services on node0 is for its operator, not for ops@node0. Ask the operator of node0 to do it.' },
      });
    }
    expect((await api.ask('POST', `${SERVICES}/nothing/found`)).body).toEqual({ done: true });
  });

  it('of objects need the right that they name, or MANAGE', async () => {
    expect((await api.ask('GET', `${SERVICES}/front1/logs`, { token })).status).toBe(404);
    grant(['DISCOVER'], { name: 'front1' });
    expect((await api.ask('GET', `${SERVICES}/front1/logs`, { token })).status).toBe(403);
    grant(['READ'], { name: 'front1' });
    expect((await api.ask('GET', `${SERVICES}/front1/logs`, { token })).body).toEqual({ had: true });
    expect((await api.ask('POST', `${SERVICES}/front1/reset`, { token })).status).toBe(403);
    grant(['MANAGE'], { name: 'front1' });
    expect((await api.ask('POST', `${SERVICES}/front1/reset`, { token })).status).toBe(200);
    expect((await api.ask('POST', `${SERVICES}/nothing/reset`, { token })).status).toBe(404);
    // there before its object is
    expect((await api.ask('POST', `${SERVICES}/nothing/reset`)).status).toBe(200);
    expect(audited.map(({ who, verb, outcome }) => `${who} ${verb} ${outcome}`)).toEqual([
      'ops@node0 POST reset denied',
      'ops@node0 POST reset allowed',
      'operator POST reset allowed',
    ]);
  });
});

it('decides about a subresource as rights are when its body has come', async () => {
  grant(['MANAGE'], { name: 'front1' });
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const headers = { 'content-type': 'application/json' };
  const request = new Request(`https://localhost${SERVICES}/front1/reset`, { method: 'POST', body: readable, duplex: 'half', headers });
  const answer = api.server.answer(request, { own: { principal: localUser('ops') } });
  const body = writable.getWriter();
  await body.write(Buffer.from('{'));
  access.revoke(() => true);
  await body.write(Buffer.from('}'));
  await body.close();
  expect((await answer).status).toBe(404);
  expect(audited).toMatchObject([{ who: 'ops@node0', verb: 'POST reset', outcome: 'denied' }]);
});

describe('the audit', () => {
  it('has a line of each change by anybody, and none of reading here', async () => {
    await api.ask('POST', SERVICES, { body: serviceBody('noted') });
    await api.ask('GET', SERVICES);
    await api.ask('GET', `${SERVICES}/noted`, { token });
    await api.ask('POST', SERVICES, { body: serviceBody('noted') });
    await api.ask('DELETE', `${SERVICES}/noted?dryRun=All`);
    await api.ask('DELETE', `${SERVICES}/noted`);
    expect(audited).toEqual([
      { who: 'operator', verb: 'create', what: '/services/node0/noted', outcome: 'allowed', because: 'the operator of this node' },
      { who: 'operator', verb: 'delete', what: '/services/node0/noted', outcome: 'allowed', because: 'the operator of this node' },
    ]);
  });

  it('has a line of a collection of which only the first could be deleted', async () => {
    const ENDPOINTS = '/api/v1/namespaces/default/endpoints';
    for (const name of ['early', 'kept']) {
      await api.ask('POST', ENDPOINTS, { body: { apiVersion: 'v1', kind: 'Endpoints', metadata: { name }, subsets: [] } });
    }
    audited.length = 0;
    expect((await api.ask('DELETE', `${ENDPOINTS}?dryRun=All`)).status).toBe(409);
    expect((await api.ask('DELETE', ENDPOINTS)).status).toBe(409);
    expect(names((await api.ask('GET', ENDPOINTS)).body.items)).toEqual(['kept']);
    expect(audited).toEqual([
      { who: 'operator', verb: 'deletecollection', what: '/endpoints/node0/', outcome: 'failed', because: '1 deleted, then CONFLICT' },
    ]);
  });
});

it('ends what streams to a user who loses the right, or is deleted', async () => {
  const headers = { authorization: `Bearer ${token}` };
  grant(['READ'], { name: 'front1' });
  const opened = await Promise.all([
    api.watch(`${SERVICES}/front1/tail`, headers),
    api.watch(`${SERVICES}?watch=true`, headers),
    api.watch(`${SERVICES}/front1/tail`),
  ]);
  const [tail, watch, operators] = opened;
  await waitFor(() => opened.every(({ events }) => events.length > 0), { what: 'the streams' });
  access.revoke(() => true);
  await waitFor(() => tail?.ended() === true, { what: 'the end of the stream' });
  expect(watch?.ended()).toBe(false);
  access.users.delete(token);
  access.changed();
  await waitFor(() => watch?.ended() === true, { what: 'the end of the watch' });
  expect(operators?.ended()).toBe(false);
  operators?.stop();
  access.addUser('ops');
});

it('gives one user no more watches than leave room for others', async () => {
  grant(['READ']);
  const headers = { authorization: `Bearer ${token}` };
  const watches = await Promise.all(Array.from({ length: 64 }, () => api.watch(`${SERVICES}?watch=true`, headers)));
  expect(watches.map(({ answer }) => answer.statusCode)).toEqual(watches.map(() => 200));
  expect(await api.ask('GET', `${SERVICES}?watch=true`, { token })).toMatchObject({ status: 429 });
  const operators = await api.watch(`${SERVICES}?watch=true`);
  expect(operators.answer.statusCode).toBe(200);
  for (const watch of [...watches, operators]) watch.stop();
  await waitFor(
    async () => {
      const again = await api.watch(`${SERVICES}?watch=true`, headers);
      again.stop();
      return again.answer.statusCode === 200;
    },
    { what: 'room for another watch' },
  );
});
