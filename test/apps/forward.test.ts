import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseLocal } from '../../daemon/src/apps/forward.ts';
import type { ForwardEvent } from '../../daemon/src/apps/ports.ts';
import type { OperatorPrincipal } from '../../protocol/rights/principal.ts';
import { waitFor } from '../wait.ts';
import { exchange, message, type Site, Stage } from './site.ts';

const OPERATOR_PRINCIPAL: OperatorPrincipal = { type: 'operator', name: 'operator' };

describe('local addresses', () => {
  it('are read', () => {
    expect(parseLocal('127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 });
    expect(parseLocal('[::1]:80')).toEqual({ host: '::1', port: 80 });
    expect(parseLocal('localhost:80')).toEqual({ host: 'localhost', port: 80 });
    expect(parseLocal('5432')).toEqual({ host: '127.0.0.1', port: 5432 });
    for (const text of ['', ':80', 'a:b', '1.2.3.4', '::1:80', 'a:99999', 'a b:1']) expect(() => parseLocal(text)).toThrow(/local address/);
  });
});

describe.each([{ lanes: false }, { lanes: true }])('a forward, %o', ({ lanes }) => {
  let stage: Stage;
  let owner: Site;
  let caller: Site;
  let stop: AbortController;

  beforeEach(async () => {
    stage = new Stage();
    stop = new AbortController();
    owner = await stage.site('node0', ['d'], { lanes });
    caller = await stage.site('node1', ['d'], { lanes });
  });
  afterEach(() => stage.close());

  async function forward(site: Site, name: string, options: { namespace?: string } = {}) {
    const events: ForwardEvent[] = [];
    const stream = await site.apps.createForward({ name, principal: OPERATOR_PRINCIPAL, signal: stop.signal, ...options });
    const over = (async () => {
      for await (const event of stream) events.push(event);
    })();
    const listening = await waitFor(() => events.find((event) => 'listening' in event), { what: 'the forward' });
    return { events, over, port: Number('listening' in listening ? listening.listening.split(':')[1] : 0) };
  }

  const echo = (socket: Socket) => socket.pipe(socket);

  it('carries bytes both ways, and each half-close', async () => {
    const origin = await stage.tcpOrigin((socket) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      // Answers only after the other side has said that it is done.
      socket.on('end', () => socket.end(text.toUpperCase()));
    });
    await stage.expose(owner, { ports: [origin] });
    const { port, events, over } = await forward(caller, 'app');
    expect(await exchange(port, 'hello', { end: true })).toEqual({ text: 'HELLO', aborted: false });
    await waitFor(() => events.some((event) => 'connections' in event && event.connections === 0), { what: 'the count to fall' });
    stop.abort();
    await over;
    expect(events.slice(0, 3)).toEqual([{ listening: `127.0.0.1:${port}` }, { connections: 1 }, { connections: 0 }]);
    expect((await exchange(port, 'x')).aborted).toBe(true);
  });

  it('carries an abort both ways', async () => {
    const sockets: Socket[] = [];
    let closed = 0;
    const origin = await stage.tcpOrigin((socket) => {
      sockets.push(socket);
      socket.on('close', () => {
        closed += 1;
      });
      socket.write('hi');
    });
    await stage.expose(owner, { ports: [origin] });
    const { port } = await forward(caller, 'app');
    const first = connect(port, '127.0.0.1');
    await new Promise((resolve) => first.once('data', resolve));
    first.resetAndDestroy();
    await waitFor(() => closed === 1, { what: 'the origin to see the abort' });
    const second = exchange(port, 'x');
    await waitFor(() => sockets.length === 2, { what: 'the second connection' });
    sockets[1]?.resetAndDestroy();
    expect((await second).aborted).toBe(true);
  });

  it('leads to an own app, to a copy by its name, and to an app of a named owner', async () => {
    await stage.expose(owner, { ports: [await stage.tcpOrigin(echo)] });
    const copy = (await caller.store.list({ group: 'sid.sightlineinnovation.com', plural: 'dtapps', namespace: 'node1' })).items[0];
    for (const [site, name, namespace] of [
      [owner, 'app', undefined],
      [caller, copy?.metadata.name ?? '', 'node1'],
      [caller, 'app', 'node0'],
    ] as const) {
      const { port } = await forward(site, name, namespace === undefined ? {} : { namespace });
      expect((await exchange(port, 'ping', { end: true })).text).toBe('ping');
    }
  });

  it('wants one app', async () => {
    const third = await stage.site('node2');
    await expect(forward(caller, 'nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const site of [owner, third]) await stage.expose(site, { ports: [1] });
    await expect(forward(caller, 'app')).rejects.toMatchObject({ code: 'AMBIGUOUS' });
  });

  it('tells why a connection failed, and goes on', async () => {
    await stage.expose(owner, { ports: [1] });
    const { port, events } = await forward(caller, 'app');
    expect((await exchange(port, 'x')).aborted).toBe(true);
    expect(events).toContainEqual({ error: 'none of the endpoints of the app answers', code: 'UNAVAILABLE' });
    stage.network.cut('node0', 'node1', Date.UTC(2026, 0, 1));
    expect((await exchange(port, 'x')).aborted).toBe(true);
    await waitFor(() => events.some((event) => 'error' in event && event.code === 'PEER_AWAY'), { what: 'the second error' });
  });

  it('is an action of the API', async () => {
    await stage.expose(owner, { ports: [await stage.tcpOrigin(echo)] });
    const action = caller.apps.actions.get('sid.sightlineinnovation.com/dtapps/forward');
    const request = {
      namespace: 'node1',
      principal: OPERATOR_PRINCIPAL,
      name: 'app',
      rest: [],
      method: 'POST',
      signal: stop.signal,
    } as const;
    await expect(action?.({ ...request, body: { local: 5 } })).rejects.toMatchObject({ code: 'INVALID' });
    await expect(action?.({ ...request, method: 'GET', body: undefined })).rejects.toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    const answer = await action?.({ ...request, body: { local: '127.0.0.1:0' } });
    expect(answer).toHaveProperty('stream');
  });

  it('of an app that authenticates carries HTTP only', async () => {
    const origin = await stage.origin((_request, response) => response.end('in'));
    const auth = await stage.origin((request, response) => {
      response.writeHead(request.headers.authorization === undefined ? 401 : 200).end();
    });
    await stage.expose(owner, { ports: [origin], authenticationURL: `http://127.0.0.1:${auth}/` });
    for (const site of [caller, owner]) {
      const { port } = await forward(site, 'app');
      expect((await exchange(port, 'SSH-2.0-x\r\n\r\n')).text).toMatch(/^HTTP\/1\.1 400 /);
      expect((await exchange(port, message('GET / HTTP/1.1', 'Host: x', 'Connection: close'))).text).toMatch(/^HTTP\/1\.1 401 /);
      expect((await exchange(port, message('GET / HTTP/1.1', 'Host: x', 'Authorization: y', 'Connection: close'))).text).toMatch(/\r\nin$/);
    }
  });
});
