/** What one user may have under way, and that others are answered meanwhile. Real servers and sockets. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import { memoryKv } from '../store/memory-kv.ts';
import { waitFor } from '../wait.ts';
import { FakeAccess } from './fake-access.ts';
import { NODE, SERVICES, serviceBody, startTestApi, type TestApi, TOKEN } from './fixtures.ts';

let api: TestApi;
let go: PromiseWithResolvers<void>;
/** Lists of services that have been begun, and those that are being read. */
let begun = 0;
let reading = 0;
let most = 0;
const sockets: TLSSocket[] = [];

beforeEach(async () => {
  go = Promise.withResolvers();
  [begun, reading, most] = [0, 0, 0];
  const store = await openObjectStore({ kv: memoryKv(), node: NODE });
  const access = new FakeAccess(TOKEN);
  for (const name of ['many', 'other']) {
    access.addUser(name);
    access.grant({ user: `${name}@${NODE}`, verbs: ['READ'], plural: '*' });
  }
  const listRaw: LocalStore['listRaw'] = async (query, options) => {
    begun += 1;
    reading += 1;
    most = Math.max(most, reading);
    if (query.plural === 'services') await go.promise;
    reading -= 1;
    return store.listRaw(query, options);
  };
  const slow = new Proxy(store, {
    get: (target, name) => {
      const value = name === 'listRaw' ? listRaw : Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const wait = async () => {
    begun += 1;
    await go.promise;
    return {};
  };
  api = await startTestApi({ store: slow, access, actions: { wait: Object.assign(wait, { open: 'user' as const }) } });
  await api.ask('POST', SERVICES, { body: serviceBody('one') });
});

afterEach(async () => {
  go.resolve();
  for (const socket of sockets.splice(0)) socket.destroy();
  await api.close();
});

/** A request on a connection of its own. */
async function send(path: string, token: string | undefined): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: api.server.port, rejectUnauthorized: false });
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'secureConnect');
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`;
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${authorization}\r\n`);
  return socket;
}

const many = (count: number, path: string, token?: string) => Promise.all(Array.from({ length: count }, () => send(path, token)));
const statusOf = (answer: IncomingMessage) => {
  answer.resume();
  return answer.statusCode;
};

describe('lists', () => {
  it('of one user wait for one another, and for nobody else', async () => {
    const flood = await many(100, SERVICES, 'token-of-many');
    await waitFor(() => begun === 8);
    const other = api.open('GET', SERVICES, { token: 'token-of-other' });
    await waitFor(() => begun === 9);
    expect((await api.ask('GET', `${SERVICES}/one`, { token: 'token-of-many' })).status).toBe(200);
    expect((await api.ask('GET', '/api/v1/namespaces/default/endpoints', { token: TOKEN })).status).toBe(200);
    const answers = Promise.all(flood.map((socket) => once(socket, 'data')));
    go.resolve();
    expect(statusOf(await other)).toBe(200);
    await answers;
    expect(most).toBeLessThanOrEqual(10);
  });

  it('are not begun for who has gone meanwhile', async () => {
    const flood = await many(20, SERVICES, 'token-of-many');
    await waitFor(() => begun === 8);
    for (const socket of flood.slice(0, 19)) socket.destroy();
    await api.ask('GET', '/livez');
    const last = flood[19];
    if (last === undefined) throw new Error('there are twenty');
    go.resolve();
    await waitFor(() => reading === 0);
    const again = await api.ask('GET', SERVICES, { token: 'token-of-many' });
    expect(again.body.items).toHaveLength(1);
    expect(begun).toBeLessThan(20);
  });
});

describe('watches that begin with a list', () => {
  const path = '/api/v1/namespaces/default/endpoints?watch=true';

  it('wait for lists, and hold none up once that has been told', async () => {
    const flood = await many(10, SERVICES, 'token-of-many');
    await waitFor(() => begun === 8);
    const watch = await api.watch(path, { authorization: 'Bearer token-of-many' });
    const endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'late' } };
    expect((await api.ask('POST', '/api/v1/namespaces/default/endpoints', { body: endpoints })).status).toBe(201);
    expect(watch.events).toEqual([]);
    const answers = Promise.all(flood.map((socket) => once(socket, 'data')));
    go.resolve();
    await answers;
    await waitFor(() => watch.events.length === 1);
    const more = await Promise.all(Array.from({ length: 20 }, () => api.watch(path, { authorization: 'Bearer token-of-many' })));
    await waitFor(() => more.every(({ events }) => events.length === 1));
    expect((await api.ask('GET', SERVICES, { token: 'token-of-many' })).status).toBe(200);
    for (const each of [watch, ...more]) each.stop();
  });

  it('give their turns back when their clients go', async () => {
    const flood = await many(8, SERVICES, 'token-of-many');
    await waitFor(() => begun === 8);
    const waiting = await Promise.all(Array.from({ length: 20 }, () => api.watch(path, { authorization: 'Bearer token-of-many' })));
    for (const each of waiting) each.stop();
    for (const socket of flood) socket.destroy();
    const last = await api.watch(SERVICES.concat('?watch=true'), { authorization: 'Bearer token-of-many' });
    await waitFor(() => last.events.length === 1);
    last.stop();
  });
});

describe('requests under way', () => {
  it('of one user are refused beyond its share, with a code that clients know, and others are let in', async () => {
    const path = '/apis/dtkd.dev/v1/daemon/wait';
    const flood = await many(256, path, 'token-of-many');
    await waitFor(() => begun === 256);
    const refused = await api.ask('GET', path, { token: 'token-of-many' });
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(refused.body).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', details: { code: 'TOO_MANY_REQUESTS' } });
    expect((await api.ask('GET', `${SERVICES}/one`, { token: 'token-of-other' })).status).toBe(200);
    expect((await api.ask('GET', `${SERVICES}/one`)).status).toBe(200);
    flood[0]?.destroy();
    await waitFor(async () => (await api.ask('GET', `${SERVICES}/one`, { token: 'token-of-many' })).status === 200);
  });
});
