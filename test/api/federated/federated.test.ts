import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type {
  FederatedEvent,
  FederatedListRequest,
  FederatedReads,
  FederatedWatchRequest,
  ListEnd,
} from '../../../daemon/src/catalog/federation/federation.types.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { ROWS_MEDIA_TYPE } from '../../../protocol/peers/remote.ts';
import { waitFor } from '../../wait.ts';
import { FakeAccess, localUser } from '../fake-access.ts';
import { startTestApi, type TestApi, TOKEN } from '../fixtures.ts';

const MODELS = '/apis/dtkd.dev/v1/models';
const OF_NODE2 = '/apis/dtkd.dev/v1/namespaces/node2/models';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

function model(namespace: string, name: string): ApiObject {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Model',
    metadata: { name, namespace, uid: `u-${name}`, resourceVersion: '7', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { description: 'text' },
  };
}

/** Says what it is told to, and notes what it is asked. */
class FakeFederation implements FederatedReads {
  version(): number {
    return Number.MAX_SAFE_INTEGER;
  }

  lists: FederatedListRequest[] = [];
  watches: FederatedWatchRequest[] = [];
  rows: ApiObject[] = [model('node0', 'a'), model('node1', 'b'), model('node2', 'c')];
  endless = false;
  given = 0;
  left = 0;
  end: ListEnd = { resourceVersion: '99', completeness: [] };
  events: FederatedEvent[] = [];
  failure: DtkdError | undefined;

  isPeer(namespace: string): boolean {
    return namespace === 'node1' || namespace === 'node2';
  }
  unasked(namespace: string | undefined, reason: string) {
    return ['node1', 'node2']
      .filter((node) => namespace === undefined || node === namespace)
      .map((node) => ({ node, state: 'unasked' as const, reason }));
  }
  check(): void {
    if (this.failure?.code === 'BAD_REQUEST') throw this.failure;
  }
  async list(request: FederatedListRequest) {
    this.lists.push(request);
    if (this.failure !== undefined) throw this.failure;
    const { rows, endless } = this;
    const count = () => {
      this.given += 1;
    };
    const leave = () => {
      this.left += 1;
    };
    async function* batches() {
      try {
        for (const row of rows) yield [JSON.stringify(row)];
        while (endless && !request.signal.aborted) {
          count();
          yield [JSON.stringify(model('node9', 'x'.repeat(200)))];
        }
      } finally {
        leave();
      }
    }
    return { resourceVersion: '98', batches: batches(), end: () => this.end };
  }
  async watch(request: FederatedWatchRequest) {
    this.watches.push(request);
    if (this.failure !== undefined) throw this.failure;
    const { events } = this;
    return (async function* () {
      yield* events;
      await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve(), { once: true }));
    })();
  }
}

let api: TestApi;
let federation: FakeFederation;
const ops = { token: 'token-of-ops' };

beforeEach(async () => {
  federation = new FakeFederation();
  const access = new FakeAccess(TOKEN);
  access.addUser('ops');
  api = await startTestApi({ federation, access });
});
afterEach(() => api.close());

describe('a list over nodes', () => {
  test('has the rows, and behind them the version, where to go on, and a statement for each node', async () => {
    federation.end = {
      resourceVersion: '99',
      continue: 'more',
      completeness: [{ node: 'node2', state: 'unreachable', reason: 'it is away' }],
    };
    const { body, headers } = await api.ask('GET', `${MODELS}?limit=3&labelSelector=a%3Db&where=name%3Dx&peerTimeoutMs=50`, ops);
    expect(body).toMatchObject({ kind: 'ModelList', apiVersion: 'dtkd.dev/v1', metadata: federation.end });
    expect(body.items.map((item: ApiObject) => item.metadata.name)).toEqual(['a', 'b', 'c']);
    expect(headers['warning']).toBe('299 - "node2 did not answer in full, rows may be missing: it is away"');
    expect(federation.lists[0]).toMatchObject({
      limit: 3,
      labelSelector: 'a=b',
      where: 'name=x',
      timeoutMs: 50,
      stale: false,
      user: { name: 'ops' },
    });
  });

  test('of more nodes than can be named has five warnings at most', async () => {
    federation.end.completeness = Array.from({ length: 40 }, (_, index) => ({
      node: `n${index}`,
      state: 'unreachable' as const,
      reason: `reason ${index % 10}`,
    }));
    const { headers } = await api.ask('GET', MODELS, ops);
    expect(String(headers['warning']).split('299 - ')).toHaveLength(6);
  });

  test('comes as Table, as metadata, as lines', async () => {
    federation.end.completeness = [{ node: 'node1', state: 'answered' }];
    const table = (await api.ask('GET', MODELS, { ...ops, headers: { accept: TABLE } })).body;
    expect(table).toMatchObject({ kind: 'Table', metadata: { resourceVersion: '99', completeness: federation.end.completeness } });
    expect(table.columnDefinitions[0].name).toBe('Name');
    expect(table.rows).toHaveLength(3);
    expect(table.rows[2].object.metadata.namespace).toBe('node2');
    const metadata = (
      await api.ask('GET', MODELS, { ...ops, headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' } })
    ).body;
    expect(metadata.items[0]).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a' } });
    const lines = (await api.ask('GET', MODELS, { ...ops, headers: { accept: ROWS_MEDIA_TYPE } })).text.trim().split('\n');
    expect(JSON.parse(lines[0] ?? '')).toEqual({ metadata: { resourceVersion: '98' } });
    expect(JSON.parse(lines[4] ?? '')).toEqual({ end: { completeness: federation.end.completeness } });
  });

  test('serves old rows where nothing is limited, unless told otherwise', async () => {
    for (const query of ['', '?limit=5', '?stale=true&limit=5', '?stale=false']) await api.ask('GET', MODELS + query, ops);
    expect(federation.lists.map(({ stale }) => stale)).toEqual([true, false, true, false]);
  });

  test('of Events about a Node asks that node alone', async () => {
    const about = (node: string) =>
      `/api/v1/events?fieldSelector=${encodeURIComponent(`involvedObject.kind=Node,involvedObject.name=${node}`)}`;
    await api.ask('GET', about('node2'), ops);
    await api.ask('GET', about('node0'), ops);
    await api.ask('GET', '/api/v1/events?fieldSelector=metadata.name%3Dx', ops);
    expect(federation.lists.map(({ namespace }) => namespace)).toEqual(['node2', undefined]);
  });

  test('of one other node asks for that one; of this node, and of shared kinds, for none', async () => {
    await api.ask('GET', OF_NODE2, ops);
    expect(federation.lists[0]).toMatchObject({ namespace: 'node2' });
    await api.ask('GET', '/apis/dtkd.dev/v1/namespaces/node0/models', ops);
    await api.ask('GET', '/apis/dtkd.dev/v1/users', ops);
    await api.ask('GET', '/apis/dtkd.dev/v1/nodes', ops);
    expect(federation.lists).toHaveLength(1);
  });

  test('asks nobody for the operator, and says so', async () => {
    const { body, headers } = await api.ask('GET', MODELS);
    expect(body).toMatchObject({
      items: [],
      metadata: {
        completeness: [
          { node: 'node1', state: 'unasked' },
          { node: 'node2', state: 'unasked' },
        ],
      },
    });
    expect(headers['warning']).toMatch(/node1, node2 were not asked: .*dtkd user add NAME/);
    expect(federation.lists).toHaveLength(0);
  });

  test('is refused where it cannot be read', async () => {
    federation.failure = new DtkdError('BAD_REQUEST', 'no');
    expect((await api.ask('GET', MODELS, ops)).status).toBe(400);
    expect((await api.ask('GET', `${MODELS}?resourceVersion=5&resourceVersionMatch=Exact`, ops)).status).toBe(410);
    expect((await api.ask('GET', `${MODELS}?peerTimeoutMs=0`, ops)).status).toBe(400);
    expect((await api.ask('GET', `${MODELS}?peerTimeoutMs=99999999`, ops)).status).toBe(400);
  });

  test('goes at the pace of the reader, and ends when the reader goes', async () => {
    federation.endless = true;
    const answer = await api.open('GET', MODELS, ops);
    answer.on('error', () => {});
    let last = -1;
    // a client that does not read stops it
    await waitFor(() => {
      const still = federation.given === last && last > 0;
      last = federation.given;
      return still;
    });
    answer.destroy();
    await waitFor(() => federation.lists[0]?.signal.aborted);
  });

  test('is let go for a reader who went before it began to come', async () => {
    federation.endless = true;
    const principal = localUser('ops');
    const { body } = await api.server.answer(new Request(`https://localhost${MODELS}`), { own: { principal } });
    await body?.cancel();
    expect(federation.lists[0]?.signal.aborted).toBe(true);
    await waitFor(() => federation.left === 1);
  });
});

describe('a watch over nodes', () => {
  test('tells of events and bookmarks, of one object by its name', async () => {
    federation.events = [
      { type: 'ADDED', object: model('node1', 'b') },
      { type: 'BOOKMARK', resourceVersion: '4503' },
    ];
    const watch = await api.watch(`${OF_NODE2}/b?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`, {
      authorization: 'Bearer token-of-ops',
    });
    await waitFor(() => watch.events.length === 2);
    expect(watch.events[0]).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'b' } } });
    expect(watch.events[1]).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { resourceVersion: '4503', annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    expect(federation.watches[0]).toMatchObject({ namespace: 'node2', fieldSelector: 'metadata.name=b', bookmarks: true });
    watch.stop();
    await waitFor(() => federation.watches[0]?.signal.aborted);
    const metadata = await api.watch(`${OF_NODE2}?watch=true&allowWatchBookmarks=true`, {
      authorization: 'Bearer token-of-ops',
      accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    });
    await waitFor(() => metadata.events.length === 2);
    expect(metadata.events.map(({ object }) => object.kind)).toEqual(['PartialObjectMetadata', 'PartialObjectMetadata']);
    metadata.stop();
  });

  test('that cannot go on says so in an event', async () => {
    federation.failure = new DtkdError('GONE', 'gone');
    const watch = await api.watch(`${MODELS}?watch=true&resourceVersion=5`, { authorization: 'Bearer token-of-ops' });
    await waitFor(() => watch.events.length === 1);
    expect(watch.events[0]).toMatchObject({ type: 'ERROR', object: { code: 410 } });
  });

  test('of the operator is one of this node', async () => {
    const watch = await api.watch(`${MODELS}?watch=true`);
    expect(watch.answer.statusCode).toBe(200);
    watch.stop();
    expect(federation.watches).toHaveLength(0);
  });
});
