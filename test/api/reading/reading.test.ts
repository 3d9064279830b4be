import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../wait.ts';
import { GROUP, MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi } from '../fixtures.ts';

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const ALL = '/api/v1/services';
let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
  await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      api.ask('POST', SERVICES, { body: serviceBody(`s${String(index).padStart(2, '0')}`, { labels: { odd: String(index % 2) } }) }),
    ),
  );
  const theirs = serviceBody('theirs', {
    namespace: 'node1',
    uid: 'u',
    resourceVersion: '5',
    generation: 1,
    creationTimestamp: '2020-01-01T00:00:00Z',
  });
  await api.store.transact(async (tx) => {
    await tx.put(
      {
        ...theirs,
        metadata: {
          ...theirs.metadata,
          namespace: 'node1',
          uid: 'u',
          resourceVersion: '5',
          generation: 1,
          creationTimestamp: '2020-01-01T00:00:00Z',
        },
      },
      { origin: 'replica' },
    );
    const metadata = { uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
    await tx.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { ...metadata, name: NODE }, status: { phase: 'Active' } });
  });
});

afterAll(() => api.close());

const names = (answer: { body: { items: { metadata: { name: string } }[] } }) => answer.body.items.map((item) => item.metadata.name);

describe('list', () => {
  it('gives a List of its kind with the version of this daemon', async () => {
    const answer = await api.ask('GET', SERVICES);
    expect(answer.body).toMatchObject({
      kind: 'ServiceList',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(api.store.version()) },
    });
    expect(answer.body.items).toHaveLength(12);
    expect(answer.body.items[0]).toMatchObject({ kind: 'Service', apiVersion: 'v1', metadata: { name: 's00', namespace: NODE } });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('shows the same page each time, and what changes between', async () => {
    const page = async () => (await api.ask('GET', `${SERVICES}?limit=3`)).body;
    const once = await page();
    expect(await page()).toEqual(once);
    expect(await page()).toEqual(once);
    const { kind: _kind, ...body } = serviceBody('elsewhere');
    await api.ask('POST', `/api/v1/namespaces/default/endpoints`, { body: { ...body, kind: 'Endpoints', spec: undefined, subsets: [] } });
    // of another kind: the same objects, at a later version
    const later = await page();
    expect(later.items).toEqual(once.items);
    expect(later.metadata.resourceVersion).toBe(String(api.store.version()));
    expect(later.metadata.resourceVersion).not.toBe(once.metadata.resourceVersion);
    expect(await page()).toEqual(later);
    const changed = await api.ask('PATCH', `${SERVICES}/s01`, {
      body: { metadata: { annotations: { a: 'b' } } },
      headers: { 'content-type': MERGE },
    });
    const last = await page();
    expect(last.items[1]).toEqual(changed.body);
    expect(last.items[0]).toEqual(once.items[0]);
    expect((await api.ask('GET', `${SERVICES}/s01`)).body).toEqual(changed.body);
  });

  it('shows all namespaces, in their order, or one', async () => {
    expect(names(await api.ask('GET', ALL))).toHaveLength(13);
    expect(names(await api.ask('GET', '/api/v1/namespaces/node1/services'))).toEqual(['theirs']);
    expect(names(await api.ask('GET', '/api/v1/namespaces/nobody/services'))).toEqual([]);
    expect((await api.ask('GET', '/api/v1/namespaces/node1/services/theirs')).body.metadata.resourceVersion).toBe('5');
  });

  it('selects', async () => {
    expect(names(await api.ask('GET', `${SERVICES}?labelSelector=odd%20in%20(1)`))).toHaveLength(6);
    expect(names(await api.ask('GET', `${ALL}?fieldSelector=metadata.namespace%3Ddefault,metadata.name%3Ds03`))).toEqual(['s03']);
    expect(await api.ask('GET', `${SERVICES}?labelSelector=%3D%3D`)).toMatchObject({
      status: 400,
      body: { details: { code: 'BAD_REQUEST' } },
    });
    expect((await api.ask('GET', `${SERVICES}?fieldSelector=spec.x%3D1`)).body.message).toContain('These can: metadata.name');
  });

  it("pages, repeating the first page's version", async () => {
    const all: string[] = [];
    const versions = new Set<string>();
    let next = '';
    do {
      const answer = await api.ask('GET', `${SERVICES}?limit=5&continue=${encodeURIComponent(next)}`);
      all.push(...names(answer));
      versions.add(answer.body.metadata.resourceVersion);
      next = answer.body.metadata.continue ?? '';
      await api.ask('PATCH', `${SERVICES}/s00`, {
        body: { metadata: { annotations: { page: String(all.length) } } },
        headers: { 'content-type': MERGE },
      });
    } while (next !== '');
    expect(all).toHaveLength(12);
    expect(new Set(all).size).toBe(12);
    expect(versions.size).toBe(1);
    expect((await api.ask('GET', `${SERVICES}?limit=x`)).status).toBe(400);
    expect((await api.ask('GET', `${SERVICES}?continue=garbage`)).status).toBe(400);
    expect((await api.ask('GET', `${SERVICES}?resourceVersion=1&resourceVersionMatch=Exact`)).status).toBe(410);
  });

  it('streams a long list whole', async () => {
    const own = await startTestApi();
    await own.store.transact(async (tx) => {
      for (let index = 0; index < 2500; index++) {
        const metadata = { name: `s${index}`, namespace: NODE, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
        await tx.put({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 1, protocol: 'TCP' }] } });
      }
    });
    const answer = await own.ask('GET', ALL);
    expect(new Set(names(answer)).size).toBe(2500);
    expect(answer.body.metadata).toEqual({ resourceVersion: String(own.store.version()) });
    await own.close();
  });
});

describe('forms', () => {
  it('a Table where it is accepted', async () => {
    const answer = await api.ask('GET', `${SERVICES}?limit=2`, { headers: { accept: TABLE } });
    expect(answer.body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { continue: expect.any(String) } });
    expect(answer.body.rows.map((row: { cells: unknown[] }) => row.cells.slice(0, 2))).toEqual([
      ['s00', '80/TCP'],
      ['s01', '80/TCP'],
    ]);
    expect(answer.body.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { namespace: NODE } });
    const one = await api.ask('GET', `${SERVICES}/s01?includeObject=None`, { headers: { accept: TABLE } });
    expect(one.body.rows).toEqual([{ cells: ['s01', '80/TCP', expect.stringMatching(/^\d+s$/)] }]);
  });

  it('JSON where protobuf is wished for first, metadata alone, or nothing', async () => {
    const accept = (text: string) => api.ask('GET', `${SERVICES}/s01`, { headers: { accept: text } });
    expect((await accept('application/vnd.kubernetes.protobuf,application/json')).body.kind).toBe('Service');
    expect((await accept('application/json;as=Table;v=v1;g=other.io, */*;q=0.1')).body.kind).toBe('Service');
    expect((await accept('application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1')).body).toMatchObject({
      kind: 'PartialObjectMetadata',
      metadata: { name: 's01' },
    });
    expect(await accept('application/vnd.kubernetes.protobuf')).toMatchObject({
      status: 406,
      body: { details: { code: 'NOT_ACCEPTABLE' } },
    });
    expect((await accept('application/json;q=0')).status).toBe(406);
  });
});

describe('namespaces', () => {
  it('are there, also by the name default', async () => {
    expect(names(await api.ask('GET', '/api/v1/namespaces'))).toEqual([NODE]);
    expect((await api.ask('GET', '/api/v1/namespaces/default')).body.metadata.name).toBe(NODE);
  });

  it('are selected and watched by the name default', async () => {
    const selected = (selector: string) => `/api/v1/namespaces?fieldSelector=${encodeURIComponent(selector)}`;
    expect(names(await api.ask('GET', selected('metadata.name=default')))).toEqual([NODE]);
    expect(names(await api.ask('GET', selected('metadata.name!=default')))).toEqual([]);
    const watch = await api.watch(`${selected('metadata.name=default')}&watch=true`);
    await waitFor(() => watch.events.length > 0);
    expect(watch.events[0]).toMatchObject({ type: 'ADDED', object: { metadata: { name: NODE } } });
    watch.stop();
    // of other kinds it is a name as any
    expect(names(await api.ask('GET', `${SERVICES}?fieldSelector=metadata.name%3Ddefault`))).toEqual([]);
  });
});

describe('shared kinds of another node', () => {
  const warned = async (path: string) => (await api.ask('GET', path)).headers['warning'];

  it('are what it has published, and the answer says so', async () => {
    const metadata = { uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
    await api.store.transact((tx) =>
      tx.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { ...metadata, name: 'node7' }, status: { phase: 'Active' } }),
    );
    const where = 'in namespace "node7" are those that node7 has published to this node';
    const copies = `; the apps of other nodes that can be opened here, with their URIs, are in namespace "${NODE}"`;
    const escaped = (text: string) => `299 - "${text.replaceAll('"', '\\"')}"`;
    expect(await warned(`/apis/${GROUP}/v1/namespaces/node7/dtapps`)).toBe(escaped(`dtapps ${where}${copies}`));
    expect(await warned('/apis/dtkd.dev/v1/namespaces/node7/users')).toBe(escaped(`users ${where}`));
    for (const quiet of [`/apis/${GROUP}/v1/namespaces/${NODE}/dtapps`, `/apis/${GROUP}/v1/dtapps`, '/api/v1/namespaces/node7/services'])
      expect(await warned(quiet), quiet).toBeUndefined();
    await api.store.transact((tx) => tx.delete({ group: '', plural: 'namespaces', namespace: '', name: 'node7' }));
  });
});

describe('what is not there', () => {
  it('is 404, and says what to do instead', async () => {
    expect(await api.ask('GET', `${SERVICES}/nothing`)).toMatchObject({
      status: 404,
      body: { reason: 'NotFound', details: { name: 'nothing', kind: 'services' } },
    });
    for (const [path, next] of [
      ['/api/v1/pods', 'dtkd exec'],
      ['/api/v1/namespaces/default/pods/x', 'dtkd exec'],
      [`/apis/${GROUP}/v2/dtapps`, 'dtkd api-resources'],
      ['/apis/other.io/v1/things', 'dtkd api-resources'],
      ['/nowhere', '/apis'],
    ] as const) {
      const answer = await api.ask('GET', path);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(answer.body.details.next).toContain(next);
    }
  });

  it('is 405 where the kind has no such verb', async () => {
    for (const [method, path] of [
      ['POST', `/apis/${GROUP}/v1/namespaces/default/dtpeers`],
      ['PUT', `/apis/${GROUP}/v1/namespaces/default/dtpeers/x`],
      ['PATCH', '/api/v1/namespaces/default/events/x'],
      ['DELETE', '/api/v1/namespaces/x'],
      ['DELETE', `/apis/${GROUP}/v1/namespaces/default/dtpeers`],
      ['PUT', SERVICES],
      ['OPTIONS', SERVICES],
    ] as const) {
      const answer = await api.ask(method, path, { body: {} });
      expect([method, path, answer.status]).toEqual([method, path, 405]);
      expect(answer.headers['allow']).toContain('GET');
    }
  });
});

describe('watch', () => {
  it('begins with headers, even if there is nothing to show', async () => {
    const watch = await api.watch('/api/v1/events?watch=true');
    expect(watch.answer.statusCode).toBe(200);
    expect(watch.answer.headers).toMatchObject({ 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    watch.stop();
  });

  it('gives state, changes and bookmarks as they are asked for', async () => {
    const version = (await api.ask('GET', SERVICES)).body.metadata.resourceVersion;
    const all = await api.watch(`${SERVICES}?watch=1&labelSelector=odd%3D1`);
    const later = await api.watch(`${SERVICES}?watch=true&resourceVersion=${version}`);
    const one = await api.watch(`${SERVICES}/s05?watch=true&allowWatchBookmarks=true`);
    await waitFor(() => all.events.length === 6 && one.events.length === 2);
    await api.ask('PATCH', `${SERVICES}/s05`, { body: { spec: { ports: [{ port: 5 }] } }, headers: { 'content-type': MERGE } });
    await waitFor(() => all.events.length === 7 && later.events.length === 1 && one.events.length >= 3);
    expect(all.events.map((event) => event.type)).toEqual([...Array(6).fill('ADDED'), 'MODIFIED']);
    expect(later.events[0]).toMatchObject({
      type: 'MODIFIED',
      object: { kind: 'Service', metadata: { name: 's05' }, spec: { ports: [{ port: 5 }] } },
    });
    expect(one.events.slice(0, 3).map((event) => event.type)).toEqual(['ADDED', 'BOOKMARK', 'MODIFIED']);
    expect(one.events[1].object).toMatchObject({ kind: 'Service', apiVersion: 'v1', metadata: { resourceVersion: expect.any(String) } });
    for (const watch of [all, later, one]) watch.stop();
  });

  it('tells a version that is gone as an event, and refuses what can never be', async () => {
    for (const version of ['5', '999999999999999']) {
      const watch = await api.watch(`${SERVICES}?watch=true&resourceVersion=${version}`);
      await waitFor(() => watch.events.length === 1 && watch.ended());
      expect(watch.answer.statusCode).toBe(200);
      expect(watch.events[0]).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
    }
    expect((await api.ask('GET', `${SERVICES}?watch=true&resourceVersion=abc`)).status).toBe(400);
    expect((await api.ask('GET', `${SERVICES}?watch=true&labelSelector=,`)).status).toBe(400);
    expect((await api.ask('GET', `${SERVICES}?watch=true&timeoutSeconds=x`)).status).toBe(400);
  });

  it('ends by itself after timeoutSeconds', async () => {
    const watch = await api.watch(`${SERVICES}?watch=true&timeoutSeconds=1`);
    await waitFor(() => watch.ended(), { what: 'the end of the watch' });
    expect(watch.answer.complete).toBe(true);
  });

  it('marks the end of the initial events where a client asks for it', async () => {
    const watch = await api.watch(
      `${SERVICES}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    );
    await waitFor(() => watch.events.length === 13);
    expect(watch.events[12]).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    watch.stop();
  });

  it('gives bookmarks in the form of the events', async () => {
    const path = `${SERVICES}/s05?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`;
    for (const [as, form] of [
      ['PartialObjectMetadata', { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' }],
      ['Table', { kind: 'Table', apiVersion: 'meta.k8s.io/v1', columnDefinitions: [], rows: [] }],
    ] as const) {
      const watch = await api.watch(path, { accept: `application/json;as=${as};v=v1;g=meta.k8s.io` });
      await waitFor(() => watch.events.length === 2);
      const [added, end] = watch.events;
      expect(added).toMatchObject({ type: 'ADDED', object: { kind: form.kind } });
      expect(end).toMatchObject({
        type: 'BOOKMARK',
        object: { ...form, metadata: { resourceVersion: expect.any(String), annotations: { 'k8s.io/initial-events-end': 'true' } } },
      });
      watch.stop();
    }
  });

  it('gives tables, of which the first names the columns', async () => {
    const watch = await api.watch(`${SERVICES}?watch=true&fieldSelector=metadata.name!%3Ds00`, { accept: TABLE });
    await waitFor(() => watch.events.length === 11);
    expect(watch.events[0].object).toMatchObject({ kind: 'Table', rows: [{ cells: ['s01', '80/TCP', expect.any(String)] }] });
    expect(watch.events.map((event) => event.object.columnDefinitions.length)).toEqual([3, ...Array(10).fill(0)]);
    watch.stop();
  });
});
