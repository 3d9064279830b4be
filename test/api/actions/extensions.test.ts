import { afterEach, describe, expect, it } from 'vitest';
import type { ActionRequest } from '../../../daemon/src/api/handlers.types.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { waitFor } from '../../wait.ts';
import { APPS, DOMAINS, GROUP, MERGE, NODE, PEERS, startTestApi, type TestApi, type TestApiOptions } from '../fixtures.ts';

let api: TestApi;

afterEach(() => api.close());

async function start(options: TestApiOptions): Promise<TestApi> {
  api = await startTestApi(options);
  return api;
}

const DOMAIN_KEY = `${GROUP}/dtdomains`;
const domain = (name: string, spec?: object) => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'dtDomain',
  metadata: { name },
  ...(spec === undefined ? {} : { spec }),
});
const meta = (name: string, namespace = NODE) => ({ name, namespace, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' });

describe('handlers of kinds', () => {
  it('fill in the fields of the server, warn, and refuse', async () => {
    await start({
      kinds: {
        [DOMAIN_KEY]: {
          async create(object, context) {
            if (object.metadata.name === 'refused')
              throw new DtkdError('TOKEN_EXPIRED', 'the token expired', { next: 'Ask for another.', details: { ours: 1, theirs: 2 } });
            context.warn(`Recovery key:\n"é" ${context.principal.name} ${context.dryRun}`);
            return { ...object, status: 'Joining' };
          },
          async update(object, previous) {
            return { ...object, message: `was ${previous.metadata.generation}` };
          },
        },
      },
    });
    const made = await api.ask('POST', DOMAINS, { body: domain('mine') });
    expect(made).toMatchObject({ status: 201, body: { status: 'Joining', metadata: { generation: 1 } } });
    expect(made.headers['warning']).toBe('299 - "Recovery key: \\" \\" operator false"');
    const changed = await api.ask('PATCH', `${DOMAINS}/mine`, {
      body: { spec: { peer: { address: 'a', inviteToken: 'b' } }, status: 'Ready' },
      headers: { 'content-type': MERGE },
    });
    expect(changed.body).toMatchObject({ status: 'Joining', message: 'was 1', metadata: { generation: 2 } });

    const refused = await api.ask('POST', DOMAINS, { body: domain('refused') });
    expect(refused).toMatchObject({
      status: 403,
      body: {
        message: 'the token expired. Ask for another.',
        details: { code: 'TOKEN_EXPIRED', next: 'Ask for another.', ours: 1, theirs: 2, name: 'refused' },
      },
    });
    expect((await api.ask('GET', `${DOMAINS}/refused`)).status).toBe(404);
  });

  it('may store and delete by themselves', async () => {
    const deleted: string[] = [];
    await start({
      kinds: {
        [DOMAIN_KEY]: {
          async create(object) {
            return { handled: await api.store.transact((tx) => tx.put({ ...object, status: 'Ready' })) };
          },
          async delete(object, context) {
            if (context.dryRun) return undefined;
            deleted.push(object.metadata.name);
            await api.store.transact((tx) => tx.delete({ group: GROUP, plural: 'dtdomains', namespace: NODE, name: object.metadata.name }));
            return { handled: object };
          },
        },
      },
    });
    expect((await api.ask('POST', DOMAINS, { body: domain('mine') })).body).toMatchObject({
      status: 'Ready',
      metadata: { uid: expect.stringMatching(/./) },
    });
    expect((await api.ask('POST', DOMAINS, { body: domain('mine') })).status).toBe(409);
    expect((await api.ask('DELETE', `${DOMAINS}/mine?dryRun=All`)).status).toBe(200);
    expect(deleted).toEqual([]);
    expect((await api.ask('DELETE', `${DOMAINS}/mine`)).body).toMatchObject({ status: 'Success' });
    expect(deleted).toEqual(['mine']);
    expect((await api.ask('DELETE', `${DOMAINS}/mine`)).status).toBe(404);
  });

  it('work on what is stored when it is stored: a change meanwhile makes them run again', async () => {
    let updates = 0;
    await start({
      kinds: {
        [DOMAIN_KEY]: {
          async update(object) {
            updates += 1;
            if (updates === 1) {
              await api.store.transact(async (tx) => {
                const stored = await tx.get({ group: GROUP, plural: 'dtdomains', namespace: NODE, name: 'mine' });
                if (stored !== undefined) await tx.put({ ...stored, status: 'Ready' });
              });
            }
            return object;
          },
        },
      },
    });
    await api.ask('POST', DOMAINS, { body: domain('mine') });
    const changed = await api.ask('PATCH', `${DOMAINS}/mine`, {
      body: { metadata: { labels: { a: 'b' } } },
      headers: { 'content-type': MERGE },
    });
    expect(changed.body).toMatchObject({ status: 'Ready', metadata: { labels: { a: 'b' } } });
    expect(updates).toBe(2);
  });

  it('that fail unexpectedly show nothing of it, and are logged', async () => {
    await start({
      kinds: {
        [DOMAIN_KEY]: {
          create() {
            throw new TypeError('secret internals');
          },
        },
      },
    });
    const answer = await api.ask('POST', DOMAINS, { body: domain('mine') });
    expect(answer).toMatchObject({ status: 500, body: { reason: 'InternalError', details: { code: 'INTERNAL' } } });
    expect(answer.text).not.toContain('secret internals');
    expect(api.logged).toMatchObject([
      { level: 'error', fields: { err: expect.objectContaining({ message: 'secret internals' }), path: DOMAINS } },
    ]);
  });
});

describe('what this node keeps for itself', () => {
  async function keep(object: ApiObject, origin: 'replica' | 'projection') {
    await api.store.transact((tx) => tx.put(object, { origin }));
  }

  it('cannot be written; the answer names the owner', async () => {
    await start({});
    await keep(
      { apiVersion: `${GROUP}/v1`, kind: 'dtApp', metadata: { ...meta('copy'), labels: { 'dtkd.dev/owner': 'node1' } } },
      'projection',
    );
    await keep({ apiVersion: `${GROUP}/v1`, kind: 'dtPeer', metadata: meta('peer') }, 'projection');
    await keep(
      { apiVersion: `${GROUP}/v1`, kind: 'dtApp', metadata: { ...meta('theirs', 'node1'), uid: 'u', resourceVersion: '3' } },
      'replica',
    );
    const there = `/apis/${GROUP}/v1/namespaces/node1/dtapps/theirs`;
    const copy = { apiVersion: `${GROUP}/v1`, kind: 'dtApp', metadata: { name: 'copy' }, spec: {} };
    const patch = { body: { metadata: { labels: null } }, headers: { 'content-type': MERGE } };
    for (const [method, path, ask, owner] of [
      ['DELETE', `${APPS}/copy`, {}, 'node1'],
      ['PATCH', `${APPS}/copy`, patch, 'node1'],
      ['PUT', `${APPS}/copy`, { body: copy }, 'node1'],
      ['DELETE', there, {}, 'node1'],
      ['PATCH', there, patch, 'node1'],
      ['PUT', there, { body: { ...copy, metadata: { name: 'theirs' } } }, 'node1'],
      ['DELETE', `${PEERS}/peer`, {}, 'the daemon itself'],
    ] as const) {
      const answer = await api.ask(method, path, ask);
      expect([method, path, answer.status]).toEqual([method, path, 403]);
      expect(answer.body.message).toContain(owner);
      expect(answer.body.details.code).toBe('FORBIDDEN');
    }
    expect((await api.ask('POST', APPS, { body: copy })).status).toBe(409);
    expect((await api.ask('DELETE', `${APPS}?labelSelector=dtkd.dev/owner`)).body.message).toBe('0 deleted');
    expect((await api.ask('GET', `${APPS}/copy`)).status).toBe(200);
  });

  it("can be deleted where the kind's handler takes it", async () => {
    const removed: string[] = [];
    await start({
      kinds: {
        [`${GROUP}/dtpeers`]: {
          async delete(object) {
            removed.push(object.metadata.name);
            return { handled: object };
          },
        },
      },
    });
    await keep({ apiVersion: `${GROUP}/v1`, kind: 'dtPeer', metadata: meta('peer') }, 'projection');
    expect((await api.ask('DELETE', `${PEERS}/peer`)).body).toMatchObject({ status: 'Success', details: { name: 'peer' } });
    expect(removed).toEqual(['peer']);
  });
});

describe('actions', () => {
  const echo = async (request: ActionRequest) => ({ ...request, signal: undefined });

  it('get what was asked, and answer JSON', async () => {
    await start({ subresources: { [`${DOMAIN_KEY}/invites`]: echo }, actions: { status: echo, nothing: async () => undefined } });
    expect((await api.ask('POST', `${DOMAINS}/mine/invites/a%20b/c`, { body: { uses: 2 } })).body).toEqual({
      principal: { type: 'operator', name: 'operator' },
      namespace: NODE,
      name: 'mine',
      rest: ['a b', 'c'],
      method: 'POST',
      query: {},
      body: { uses: 2 },
    });
    expect((await api.ask('GET', '/apis/dtkd.dev/v1/daemon/status/x')).body).toMatchObject({
      method: 'GET',
      namespace: '',
      name: 'status',
      rest: ['x'],
    });
    expect((await api.ask('DELETE', '/apis/dtkd.dev/v1/daemon/nothing')).body).toMatchObject({ kind: 'Status', status: 'Success' });
  });

  it('are refused where there is none, for other nodes, by other methods, with other bodies', async () => {
    await start({ subresources: { [`${DOMAIN_KEY}/invites`]: echo }, actions: { status: echo } });
    expect((await api.ask('GET', `${DOMAINS}/mine/nothing`)).body).toMatchObject({ code: 404, details: { next: 'They have invites.' } });
    expect((await api.ask('GET', '/apis/dtkd.dev/v1/daemon/nothing')).body).toMatchObject({
      code: 404,
      details: { next: 'It has status.' },
    });
    expect((await api.ask('GET', `/apis/${GROUP}/v1/namespaces/node1/dtdomains/mine/invites`)).status).toBe(403);
    expect((await api.ask('PUT', `${DOMAINS}/mine/invites`, { body: {} })).status).toBe(405);
    expect((await api.ask('POST', `${DOMAINS}/mine/invites`, { raw: '{' })).status).toBe(400);
    expect((await api.ask('POST', `${DOMAINS}/mine/invites`, { raw: Buffer.alloc(2 ** 20 + 1) })).status).toBe(413);
    expect((await api.ask('POST', `${DOMAINS}/mine/invites`, { raw: 'x', headers: { 'content-type': 'text/plain' } })).status).toBe(415);
  });

  it('do nothing as a trial, of which they know nothing', async () => {
    const done: string[] = [];
    const act = async ({ method, name }: ActionRequest) => void done.push(`${method} ${name}`);
    await start({ subresources: { [`${DOMAIN_KEY}/invites`]: act }, actions: { token: act } });
    for (const path of [`${DOMAINS}/mine/invites`, '/apis/dtkd.dev/v1/daemon/token']) {
      for (const method of ['POST', 'DELETE']) {
        const answer = await api.ask(method, `${path}?dryRun=All`);
        expect(answer, `${method} ${path}`).toMatchObject({ status: 400, body: { message: expect.stringContaining('nothing was done') } });
        expect((await api.ask(method, `${path}?dryRun=some`)).status).toBe(400);
      }
    }
    expect(done).toEqual([]);
    expect((await api.ask('POST', `${DOMAINS}/mine/invites?dryRun=`)).status).toBe(200);
    expect((await api.ask('GET', `${DOMAINS}/mine/invites?dryRun=All`)).status).toBe(200);
    expect(done).toEqual(['POST mine', 'GET mine']);
  });

  it('stream JSON lines until the client goes away', async () => {
    const state = { aborted: false };
    await start({
      subresources: {
        [`${GROUP}/dtapps/forward`]: async ({ signal }) => ({
          stream: (async function* () {
            yield { listening: '127.0.0.1:1' };
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            state.aborted = true;
          })(),
        }),
      },
    });
    const watch = await api.watch(`${APPS}/app/forward`);
    await waitFor(() => watch.events.length === 1);
    expect(watch.events).toEqual([{ listening: '127.0.0.1:1' }]);
    watch.stop();
    await waitFor(() => state.aborted, { what: 'the action to be told' });
  });

  it('stream lines that come at once together, in order, however many', async () => {
    const filler = 'x'.repeat(1_000);
    await start({
      actions: {
        many: async () => ({
          stream: (async function* () {
            for (let index = 0; index < 500; index += 1) yield { index, filler };
          })(),
        }),
      },
    });
    const answer = await api.open('GET', '/apis/dtkd.dev/v1/daemon/many');
    const chunks: string[] = await answer.toArray();
    const lines = chunks.join('').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).index)).toEqual(Array.from({ length: 500 }, (_, index) => index));
    expect(chunks.length).toBeLessThan(250);
  });

  it('that fail while streaming say so in a last line', async () => {
    await start({
      actions: {
        fails: async () => ({
          stream: (async function* () {
            yield { one: 1 };
            throw new DtkdError('PEER_AWAY', 'node1 is away');
          })(),
        }),
        refuses: async () => {
          throw new DtkdError('PEER_AWAY', 'node1 is away');
        },
      },
    });
    const answer = await api.open('GET', '/apis/dtkd.dev/v1/daemon/fails');
    const text = (await answer.toArray()).join('');
    expect(
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ one: 1 }, { kind: 'Status', code: 503, details: { code: 'PEER_AWAY' } }]);
    expect((await api.ask('GET', '/apis/dtkd.dev/v1/daemon/refuses')).status).toBe(503);
  });

  it('end when the server closes, even those that do not listen to their signal', async () => {
    await start({
      actions: {
        deaf: async () => ({ stream: { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<unknown>>(() => {}) }) } }),
      },
    });
    const watch = await api.watch('/apis/dtkd.dev/v1/daemon/deaf');
    await api.server.close();
    await waitFor(() => watch.ended());
    expect(watch.answer.complete).toBe(true);
  });
});
