import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { waitFor } from '../wait.ts';
import { appsAt, endpoints, exchange, message, portOf, put, type Site, Stage } from './site.ts';

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  trailers: IncomingMessage['trailers'];
  body: string;
}

function ask(port: number, host: string, options: RequestOptions = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { host, ...options.headers };
    const request = httpRequest({ agent: false, ...options, host: '127.0.0.1', port, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, trailers: response.trailers, body: text }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

describe.each([{ lanes: false }, { lanes: true }])('an app at another node, %o', ({ lanes }) => {
  let stage: Stage;
  let owner: Site;
  let caller: Site;

  beforeEach(async () => {
    stage = new Stage();
    owner = await stage.site('node0', ['d'], { lanes });
    caller = await stage.site('node1', ['d'], { lanes });
  });
  afterEach(() => stage.close());

  /** Exposes an origin; gives its host at the caller. */
  async function expose(listener: Parameters<Stage['origin']>[0], spec: { name?: string; allowCrossSite?: boolean } = {}): Promise<string> {
    const origin = await stage.origin(listener);
    return (await stage.expose(owner, { ...spec, ports: [origin] }))['node1'] ?? '';
  }

  it('answers through its copy, over the expected path', async () => {
    const host = await expose((request, response) => response.end(`hello ${request.method} ${request.url}`));
    expect(await ask(caller.port, host, { path: '/a?b' })).toMatchObject({ status: 200, body: 'hello GET /a?b' });
    expect(caller.apps.counters()).toMatchObject(lanes ? { lanesOpened: 1, tunnelStreams: 0 } : { lanesOpened: 0, tunnelStreams: 1 });
  });

  it('tells the origin of its client, and nobody else can', async () => {
    const host = await expose((request, response) => response.end(JSON.stringify(request.headers)));
    const headers = {
      'x-forwarded-for': '1.2.3.4',
      x_forwarded_for: '1.2.3.4',
      forwarded: 'for=1.2.3.4',
      'x-real-ip': '1.2.3.4',
      'x-client-ip': '1.2.3.4',
      'x-cluster-client-ip': '1.2.3.4',
      'x-rewrite-url': '/admin',
      proxy: 'http://1.2.3.4',
      'x-dtkd-user': 'root',
      X_Dtkd_User: 'root',
      'proxy-authorization': 'secret',
      'keep-alive': 'timeout=9',
      connection: 'close, x-private, x-forwarded-host',
      'x-private': 'gone',
      'x-kept': 'stays',
      te: 'trailers, deflate',
    };
    const seen: unknown = JSON.parse((await ask(caller.port, host, { headers })).body);
    expect(seen).toEqual({
      host,
      'x-kept': 'stays',
      connection: 'TE',
      te: 'trailers',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': host,
      'x-forwarded-proto': 'http',
      forwarded: `for=127.0.0.1;host="${host}";proto=http`,
    });
  });

  it('keeps cookies on its own host', async () => {
    const host = await expose((_request, response) => {
      response.setHeader('set-cookie', ['a=b; Domain=dtkd.localhost; Path=/', 'c="d; domain"; domain =x;HttpOnly', 'e=f']);
      response.end();
    });
    expect((await ask(caller.port, host)).headers['set-cookie']).toEqual(['a=b; Path=/', 'c="d; domain";HttpOnly', 'e=f']);
  });

  it('keeps its users logged in at its neighbours', async () => {
    const said = ['"cookies"', '"cache", "cookies" ,"storage"', '"*"', '"storage"'];
    const host = await expose((request, response) => {
      response.setHeader('clear-site-data', said[Number(request.url?.slice(1))] ?? '');
      response.end();
    });
    const passed = await Promise.all(
      said.map(async (_, index) => (await ask(caller.port, host, { path: `/${index}` })).headers['clear-site-data']),
    );
    expect(passed).toEqual([undefined, '"cache", "storage"', '"cache", "storage", "executionContexts"', '"storage"']);
  });

  it('answers HEAD, 204 and 304 as the origin does', async () => {
    const host = await expose((request, response) => {
      if (request.url === '/204') response.writeHead(204);
      else if (request.url === '/304') response.writeHead(304, { etag: '"x"', 'content-length': 7 });
      else response.writeHead(200, { 'content-length': 7 });
      response.end(request.url === '/' && request.method === 'GET' ? 'content' : undefined);
    });
    const wire = [
      message('HEAD / HTTP/1.1', `Host: ${host}`),
      message('GET /204 HTTP/1.1', `Host: ${host}`),
      message('GET /304 HTTP/1.1', `Host: ${host}`),
      message('GET / HTTP/1.1', `Host: ${host}`, 'Connection: close'),
    ];
    const { text, aborted } = await exchange(caller.port, wire.join(''));
    expect(aborted).toBe(false);
    const [head, none, same, whole] = text.split(/(?=HTTP\/1\.1 )/);
    for (const answer of [head, none, same]) expect(answer).toMatch(/\r\n\r\n$/);
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Content-Length: 7\r\n/is);
    expect(none).toMatch(/^HTTP\/1\.1 204 /);
    expect(none).not.toMatch(/content-length|transfer-encoding/i);
    expect(same).toMatch(/^HTTP\/1\.1 304 /);
    expect(whole).toMatch(/\r\n\r\ncontent$/);
  });

  it('routes each request of a reused connection by itself', async () => {
    const first = await expose((_request, response) => response.end('first'), { name: 'one' });
    const second = await expose((_request, response) => response.end('second'), { name: 'two' });
    const wire = [
      message('GET / HTTP/1.1', `Host: ${first}`),
      message('GET / HTTP/1.1', `Host: ${second}`),
      message('GET / HTTP/1.1', 'Host: nobody.example'),
      message('GET / HTTP/1.1', `Host: ${first}`, 'Connection: close'),
    ];
    const { text } = await exchange(caller.port, wire.join(''));
    const answers = text.split(/(?=HTTP\/1\.1 )/);
    expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['200', '200', '404', '200']);
    expect(answers.map((answer) => answer.split('\r\n\r\n')[1])).toMatchObject(
      ['first', 'second', /./, 'first'].map(() => expect.any(String)),
    );
    expect(answers[0]).toContain('first');
    expect(answers[1]).toContain('second');
    expect(answers[3]).toContain('first');
  });

  it('passes trailers both ways, but none that frame or authenticate', async () => {
    const host = await expose((request, response) => {
      request.resume();
      request.on('end', () => {
        response.writeHead(200, { trailer: 'X-Sum, X-Seen' });
        response.write('body');
        response.addTrailers({ 'X-Sum': '42', 'X-Seen': JSON.stringify(request.trailers) });
        response.end();
      });
    });
    const wire = `${message('POST / HTTP/1.1', `Host: ${host}`, 'Transfer-Encoding: chunked', 'Connection: close')}3\r\nabc\r\n0\r\nX-Up: 1\r\nAuthorization: no\r\nX_Forwarded_For: no\r\n\r\n`;
    const { text } = await exchange(caller.port, wire);
    expect(text).toMatch(/4\r\nbody\r\n0\r\nX-Sum: 42\r\nX-Seen: {"x-up":"1"}\r\n\r\n$/);
  });

  it('carries 100-continue, and an answer instead of it', async () => {
    let bodies = 0;
    const origin = await stage.tcpOrigin((socket) => {
      socket.once('data', (head) => {
        if (head.includes('/no')) socket.end(message('HTTP/1.1 417 No', 'Content-Length: 0'));
        else {
          socket.write(message('HTTP/1.1 100 Continue'));
          socket.once('data', () => {
            bodies += 1;
            socket.end(message('HTTP/1.1 200 OK', 'Content-Length: 0'));
          });
        }
      });
    });
    const host = (await stage.expose(owner, { ports: [origin] }))['node1'] ?? '';
    const post = (path: string) =>
      new Promise<{ status: number; continued: boolean }>((resolve, reject) => {
        let continued = false;
        const headers = { host, expect: '100-continue', 'content-length': 4 };
        const request = httpRequest({ agent: false, host: '127.0.0.1', port: caller.port, path, method: 'POST', headers }, (response) => {
          response.resume();
          resolve({ status: response.statusCode ?? 0, continued });
          request.destroy();
        });
        request.on('error', reject);
        request.on('continue', () => {
          continued = true;
          request.end('body');
        });
        request.flushHeaders();
      });
    expect(await post('/yes')).toEqual({ status: 200, continued: true });
    expect(await post('/no')).toEqual({ status: 417, continued: false });
    expect(bodies).toBe(1);
  });

  it('streams events as they come, and shows the origin that the client left', async () => {
    let left = false;
    let tell: (text: string) => void = () => undefined;
    const host = await expose((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 0\n\n');
      tell = (text) => response.write(text);
      response.on('close', () => {
        left = true;
      });
    });
    let text = '';
    const socket = connect(caller.port, '127.0.0.1');
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write(message('GET / HTTP/1.1', `Host: ${host}`));
    await waitFor(() => text.includes('data: 0'), { what: 'the first event' });
    tell('data: 1\n\n');
    await waitFor(() => text.includes('data: 1'), { what: 'the second event' });
    socket.destroy();
    await waitFor(() => left, { what: 'the origin to see the abort' });
  });

  it('shows the client that the origin broke off, never a short success', async () => {
    const host = await expose((request, response) => {
      if (request.url === '/length') response.writeHead(200, { 'content-length': 100 });
      else response.writeHead(200);
      response.write('part of it');
      setImmediate(() => request.socket.resetAndDestroy());
    });
    for (const path of ['/length', '/chunked']) {
      const { text } = await exchange(caller.port, message(`GET ${path} HTTP/1.1`, `Host: ${host}`));
      expect(text).not.toMatch(/\r\n0\r\n/);
      await expect(ask(caller.port, host, { path })).rejects.toThrow();
    }
    // A response that ends with its connection: an end is an end, a reset is not.
    const origin = await stage.tcpOrigin((raw) => {
      raw.once('data', (head) => {
        raw.write('HTTP/1.1 200 OK\r\n\r\nuntil close');
        if (head.includes('/end')) raw.end();
        else setTimeout(() => raw.resetAndDestroy(), 20);
      });
    });
    const closing = (await stage.expose(owner, { name: 'closing', ports: [origin] }))['node1'] ?? '';
    expect(await ask(caller.port, closing, { path: '/end' })).toMatchObject({ status: 200, body: 'until close' });
    await expect(ask(caller.port, closing, { path: '/reset' })).rejects.toThrow();
  });

  it('carries WebSocket', async () => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
    stage.onClose(() => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
    });
    await new Promise((resolve) => sockets.once('listening', resolve));
    const port = portOf(sockets.address());
    const echo = (await stage.expose(owner, { name: 'echo', ports: [port] }))['node1'] ?? '';
    const client = new WebSocket(`ws://127.0.0.1:${caller.port}/x`, { headers: { host: echo } });
    stage.onClose(() => client.terminate());
    const got: string[] = [];
    client.on('message', (data) => got.push(data.toString()));
    await new Promise((resolve, reject) => {
      client.once('open', resolve);
      client.once('error', reject);
    });
    const long = 'y'.repeat(200_000);
    for (const text of ['one', long, 'three']) client.send(text);
    await waitFor(() => got.length === 3, { what: 'the echoes' });
    expect(got).toEqual(['one', long, 'three']);
    client.close();
    await waitFor(() => sockets.clients.size === 0, { what: 'the server to see the close' });
  });

  it('does not let h2c through', async () => {
    const host = await expose((request, response) => response.end(JSON.stringify([request.headers.upgrade, request.headers.connection])));
    const wire = message(
      'GET / HTTP/1.1',
      `Host: ${host}`,
      'Connection: Upgrade, HTTP2-Settings, close',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABk',
    );
    const { text } = await exchange(caller.port, wire);
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    expect(text).toContain('[null,null]');
  });

  it('goes on at the next endpoint when one does not answer', async () => {
    const dead = await stage.tcpOrigin(() => undefined);
    const origin = await stage.origin((_request, response) => response.end('alive'));
    const hosts = await stage.expose(owner, { ports: [1, origin, dead] });
    expect(await ask(caller.port, hosts['node1'] ?? '')).toMatchObject({ status: 200, body: 'alive' });
    expect(owner.apps.counters()['endpointFailures']).toBe(1);
    expect(await ask(caller.port, hosts['node0'] ?? '')).toMatchObject({ status: 404 });
    expect(await ask(owner.port, hosts['node0'] ?? '')).toMatchObject({ status: 200, body: 'alive' });
  });

  it('says that no endpoint answers', async () => {
    const hosts = await stage.expose(owner, { ports: [1] });
    expect(await ask(caller.port, hosts['node1'] ?? '')).toMatchObject({
      status: 503,
      body: expect.stringContaining('none of the endpoints'),
    });
  });

  it('is answered 503 while its owner is away, with who and since when, and 404 once it is gone', async () => {
    const host = await expose((_request, response) => response.end('here'));
    expect((await ask(caller.port, host)).status).toBe(200);
    stage.network.cut('node0', 'node1', Date.UTC(2026, 0, 2, 3, 4, 5));
    const away = await ask(caller.port, host);
    expect(away).toMatchObject({ status: 503, body: 'node0, which owns the app "app", is away since 2026-01-02T03:04:05Z\n' });
    expect(away.headers['retry-after']).toBe('5');
    const json = await ask(caller.port, host, { headers: { accept: 'application/json' } });
    expect(JSON.parse(json.body)).toMatchObject({ kind: 'Status', code: 503, details: { code: 'PEER_AWAY' } });
    stage.network.heal('node0', 'node1');
    expect((await ask(caller.port, host)).status).toBe(200);
    await stage.deleteApp(owner, 'app');
    expect((await ask(caller.port, host)).status).toBe(404);
  });

  it('reaches an owner that is merely not connected', async () => {
    const host = await expose((_request, response) => response.end('here'));
    stage.network.rest('node0', 'node1');
    expect(await ask(caller.port, host)).toMatchObject({ status: 200, body: 'here' });
    expect(caller.mesh.wanted).toEqual([]);
  });

  it('finds out that one which is not connected is away, names it, and then asks the mesh no more', async () => {
    const host = await expose((_request, response) => response.end('here'));
    stage.network.cut('node0', 'node1', Date.UTC(2026, 0, 2, 3, 4, 5));
    stage.network.rest('node0', 'node1');
    const first = await ask(caller.port, host);
    expect(first.status).toBe(503);
    expect(first.body).toContain('node0, which owns the app "app", is away');
    const { asked } = caller.mesh;
    expect(asked).toBeGreaterThan(0);
    for (let times = 0; times < 10; times += 1) expect((await ask(caller.port, host)).status).toBe(503);
    expect(caller.mesh.asked).toBe(asked);
    // But the mesh is told that somebody wants it.
    expect(caller.mesh.wanted).toHaveLength(10);
  });

  it('cuts what is under way when the app is removed or no longer shared', async () => {
    const spec = { ports: [await stage.origin((_request, response) => void response.write('x'))] };
    for (const stop of [() => stage.deleteApp(owner, 'app', [owner]), () => stage.putApp(owner, { ...spec, domains: ['other'] })]) {
      const host = (await stage.expose(owner, spec))['node1'] ?? '';
      const socket = connect(caller.port, '127.0.0.1', () => socket.write(message('GET / HTTP/1.1', `Host: ${host}`)));
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('data', resolve));
      await stop();
      await new Promise((resolve) => socket.once('close', resolve));
      await waitFor(() => owner.apps.counters()['tunnelsServed'] === 0, { what: 'the tunnel to be cut' });
      expect((await ask(caller.port, host)).status).toBe(404);
      await stage.deleteApp(owner, 'app');
      await waitFor(async () => (await appsAt(caller)).length === 0, { what: 'the copy to go' });
    }
  });

  it('cuts what began before its endpoints changed when it is removed, at the ingress of its own node, too', async () => {
    const origin = await stage.origin((_request, response) => void response.write('x'));
    const host = (await stage.expose(owner, { ports: [origin] }))['node0'] ?? '';
    const socket = connect(owner.port, '127.0.0.1', () => socket.write(message('GET / HTTP/1.1', `Host: ${host}`)));
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('data', resolve));
    await put(owner.store, endpoints(owner.name, 'app', [origin, 9]));
    await stage.deleteApp(owner, 'app', [owner]);
    await new Promise((resolve) => socket.once('close', resolve));
  });

  it('refuses what pages of other sites send', async () => {
    const host = await expose((_request, response) => response.end());
    const open = await expose((_request, response) => response.end(), { name: 'open', allowCrossSite: true });
    const status = async (headers: Record<string, string>, method = 'GET', at = host) =>
      (await ask(caller.port, at, { headers, method })).status;
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 'POST')).toBe(403);
    expect(await status({ origin: 'http://evil.example' }, 'POST')).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' })).toBe(200);
    expect(await status({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', origin: `http://${host}` }, 'POST')).toBe(200);
    expect(await status({ origin: `http://${host}` }, 'POST')).toBe(200);
    expect(await status({ 'sec-fetch-site': 'none' })).toBe(200);
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }, 'POST', open)).toBe(200);
  });

  it('sends a request again when a kept connection has died, but not one with a body', async () => {
    let connections = 0;
    const origin = await stage.tcpOrigin((raw) => {
      connections += 1;
      raw.once('data', () => {
        raw.write(message('HTTP/1.1 200 OK', 'Content-Length: 0'));
        // Dies at the next request, as a server does whose idle time is over just then.
        raw.once('data', () => raw.resetAndDestroy());
      });
    });
    const host = (await stage.expose(owner, { ports: [origin] }))['node1'] ?? '';
    expect((await ask(caller.port, host)).status).toBe(200);
    expect((await ask(caller.port, host)).status).toBe(200);
    expect(connections).toBe(2);
    expect((await ask(caller.port, host, { method: 'POST' }, 'x')).status).toBe(502);
    expect(connections).toBe(2);
  });
});
