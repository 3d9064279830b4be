import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../../daemon/src/api/app.ts';
import { hostOf, isOurHost, isOurOrigin, knownHosts } from '../../daemon/src/api/reception/hosts.ts';
import { silentLogger } from '../silent-logger.ts';
import { waitFor } from '../wait.ts';
import { FakeAccess, operatorAccess } from './fake-access.ts';
import { MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi, TOKEN } from './fixtures.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi({ hosts: ['api.example.org', 'Build-Host.'] });
});

afterAll(() => api.close());

/** Sends bytes as they are, and gives what comes back until the server closes or `enough` has come. */
async function raw(text: string, enough: RegExp = /\r\n\r\n/): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: api.server.port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = '';
  socket.on('data', (part) => {
    answer += part.toString();
    if (enough.test(answer)) resolve(answer);
  });
  socket.on('close', () => resolve(answer));
  socket.on('error', () => {});
  socket.write(text);
  const result = await promise;
  socket.destroy();
  return result;
}

describe('the token', () => {
  it('is looked at with each request of a connection', async () => {
    const wrong = `${TOKEN.slice(0, -1)}X`;
    const asked = [TOKEN, TOKEN, wrong, TOKEN, wrong, undefined, TOKEN.slice(1), TOKEN];
    const lines = asked.map((token, index) => {
      const end = index === asked.length - 1 ? 'connection: close\r\n' : '';
      return `GET /api HTTP/1.1\r\nhost: localhost\r\n${token === undefined ? '' : `authorization: Bearer ${token}\r\n`}${end}\r\n`;
    });
    const answers = await raw(lines.join(''), /(?!)/);
    expect([...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(
      asked.map((token) => (token === TOKEN ? '200' : '401')),
    );
  });

  it('is wanted by everything but the probes', async () => {
    for (const path of ['/api', '/apis', SERVICES, '/nowhere', '/apis/dtkd.dev/v1/daemon/status']) {
      expect(await api.ask('GET', path, { token: '' })).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': 'Bearer realm="dtkd"' },
        body: { kind: 'Status', reason: 'Unauthorized', details: { code: 'UNAUTHORIZED' } },
      });
    }
    for (const path of ['/healthz', '/livez', '/readyz'])
      expect(await api.ask('GET', path, { token: '' })).toMatchObject({ status: 200, text: 'ok' });
    expect((await api.ask('GET', '/version', { token: '' })).body).toMatchObject({
      dtkdVersion: '0.0.0',
      gitVersion: expect.stringMatching(/^v1\.\d+\.0\+dtkd/),
    });
  });

  it('is no other than the right one, in no other form', async () => {
    for (const authorization of [
      'Bearer wrong',
      'Basic dGhlOnRva2Vu',
      'Bearer',
      'Bearer ',
      'the-operator-token',
      'Bearer the-operator-token x',
      `Bearer ${'x'.repeat(9000)}`,
    ]) {
      expect((await api.ask('GET', SERVICES, { token: '', headers: { authorization } })).status).toBe(401);
    }
    expect(
      (
        await api.ask('GET', `${SERVICES}?token=the-operator-token&access_token=the-operator-token`, {
          token: '',
          headers: { cookie: 'token=the-operator-token' },
        })
      ).status,
    ).toBe(401);
  });

  it('gives others than the operator nothing', async () => {
    const access = new FakeAccess(TOKEN);
    access.addUser('eve');
    const other = await startTestApi({ access });
    await other.ask('POST', SERVICES, { body: serviceBody('x') });
    const token = 'token-of-eve';
    expect(await other.ask('GET', SERVICES, { token })).toMatchObject({ status: 200, body: { items: [] } });
    for (const [method, path] of [
      ['GET', `${SERVICES}/x`],
      ['GET', `${SERVICES}/y`],
      ['DELETE', `${SERVICES}/x`],
    ] as const) {
      expect(await other.ask(method, path, { token })).toMatchObject({ status: 404, body: { reason: 'NotFound' } });
    }
    for (const name of ['x', 'z']) {
      expect(await other.ask('POST', SERVICES, { token, body: serviceBody(name) })).toMatchObject({
        status: 403,
        body: {
          reason: 'Forbidden',
          message: `eve@node0 may not CREATE services "${name}". Ask the operator of node0 for the right: dtkd grant eve@node0 CREATE --on service`,
        },
      });
    }
    await other.close();
  });
});

describe('Host and Origin', () => {
  it('let in names that are ours', async () => {
    for (const host of ['localhost', 'LOCALHOST:7700', '127.0.0.1', '[::1]:7700', 'node0', 'api.example.org:443', 'build-host']) {
      expect([host, (await api.ask('GET', SERVICES, { headers: { host } })).status]).toEqual([host, 200]);
    }
  });

  it('keep out every other name, also without a token and for the probes', async () => {
    for (const host of ['evil.example', 'localhost.evil.example', '10.0.0.1', '[::2]', 'example.org', '127.0.0.1.nip.io', 'node1']) {
      for (const path of [SERVICES, '/healthz', '/version']) {
        const answer = await api.ask('GET', path, { headers: { host } });
        expect([host, path, answer.status]).toEqual([host, path, 403]);
      }
    }
    for (const host of ['node0:80:80', ' ', 'a b', '[::1'])
      expect((await api.ask('GET', SERVICES, { headers: { host } })).status).toBe(400);
    expect((await api.ask('GET', SERVICES, { headers: { host: 'evil.example' } })).body).toMatchObject({
      reason: 'Forbidden',
      details: { code: 'WRONG_HOST' },
    });
  });

  it('keep out pages of other sites, and offer them no CORS', async () => {
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1', `https://127.0.0.1:${api.server.port + 1}`]) {
      const answer = await api.ask('GET', SERVICES, { headers: { origin } });
      expect(answer).toMatchObject({ status: 403, body: { details: { code: 'WRONG_HOST' } } });
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    expect(
      (
        await api.ask('OPTIONS', SERVICES, {
          token: '',
          headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
        })
      ).status,
    ).toBe(403);
    expect((await api.ask('GET', SERVICES, { headers: { origin: `https://127.0.0.1:${api.server.port}` } })).status).toBe(200);
  });

  it('are read exactly', () => {
    expect(hostOf('Example.ORG.:80')).toBe('example.org');
    expect(hostOf('[0:0:0:0:0:0:0:1]:80')).toBe('::1');
    expect(hostOf('[fe80::1%eth0]')).toBe('fe80::1');
    for (const text of ['', 'a b', 'a:b', '[::1', '::1', 'a/b', 'user@host', 'host#x']) expect(hostOf(text)).toBeUndefined();
    const known = knownHosts(['node0']);
    expect(isOurHost(undefined, known, '10.0.0.1')).toBe(false);
    expect(isOurHost('10.0.0.1:7700', known, '::ffff:10.0.0.1')).toBe(true);
    expect(isOurOrigin('https://node0', undefined)).toBe(false);
  });
});

describe('hostile requests', () => {
  it('of more than 1 MiB are refused before they are read', async () => {
    const answer = await api.ask('POST', SERVICES, { raw: Buffer.alloc(1024 * 1024 + 1, 0x20) });
    expect(answer).toMatchObject({ status: 413, body: { reason: 'RequestEntityTooLarge', details: { code: 'TOO_LARGE' } } });
    const promised = await raw(
      `POST ${SERVICES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer the-operator-token\r\nContent-Length: 99999999999\r\n\r\n`,
    );
    expect(promised).toContain('HTTP/1.1 413');
  });

  it('that break off in their body are given up', async () => {
    const extensions = { kinds: new Map(), subresources: new Map(), actions: new Map() };
    const app = createApi({
      store: api.store,
      node: { name: NODE },
      access: operatorAccess(TOKEN),
      extensions,
      logger: silentLogger,
      version: '0.0.0',
    });
    const headers = { host: 'localhost', authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', 'content-length': '99' };
    for (const isOver of [false, true]) {
      const incoming = new IncomingMessage(new Socket());
      if (isOver) await once(incoming.destroy(), 'close');
      const answer = app.fetch(new Request(`https://localhost${SERVICES}`, { method: 'POST', headers, body: '{' }), { incoming });
      if (!isOver) await waitFor(() => incoming.listenerCount('data') > 0, { what: 'the body to be read' });
      incoming.destroy();
      expect((await answer).status).toBe(400);
    }
  });

  it('of no stated length are counted while they are read', async () => {
    const head = `POST ${SERVICES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer the-operator-token\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    expect(await raw(head + chunk.repeat(18))).toContain('HTTP/1.1 413');
    const body = JSON.stringify(serviceBody('chunked'));
    expect(await raw(`${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)).toContain('HTTP/1.1 201');
  });

  it('with bodies that are no JSON get 400', async () => {
    for (const text of [
      '{',
      '',
      '\u0000',
      '{"a":',
      'null',
      '[]',
      '{"__proto__":{"x":1}}',
      `${'['.repeat(300_000)}`,
      `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`,
    ]) {
      const answer = await api.ask('POST', SERVICES, { raw: text });
      expect([text.slice(0, 20), answer.status, answer.body.kind]).toEqual([text.slice(0, 20), 400, 'Status']);
    }
    expect((await api.ask('POST', SERVICES, { raw: Uint8Array.of(0xff, 0xfe, 0x00) })).status).toBe(400);
    expect(Reflect.get({}, 'x')).toBeUndefined();
  });

  it('with keys that every object inherits change nothing else', async () => {
    const body = JSON.parse(
      '{"apiVersion":"v1","kind":"Service","metadata":{"name":"proto","labels":{"constructor":"a","toString":"b"},"hasOwnProperty":"x"},"spec":{"ports":[{"port":1}],"constructor":{"prototype":{"polluted":1}}}}',
    );
    const answer = await api.ask('POST', SERVICES, { body });
    expect(answer.status).toBe(201);
    expect(answer.body.metadata.labels).toEqual({ constructor: 'a', toString: 'b' });
    const merged = await api.ask('PATCH', `${SERVICES}/proto`, {
      raw: '{"metadata":{"__proto__":{"polluted":1}}}',
      headers: { 'content-type': MERGE },
    });
    expect(merged.status).toBe(400);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it('for names that cannot be get 404, and reach no other row', async () => {
    for (const name of ['a%2Fb', '..%2F..%2Fm%2Fformat', 'a!b', 'A', '%00', '%ff', 'x'.repeat(300), '-', '%E2%82%AC']) {
      expect([name, (await api.ask('GET', `${SERVICES}/${name}`)).status]).toEqual([name, 404]);
      expect([name, (await api.ask('DELETE', `${SERVICES}/${name}`)).status]).toEqual([name, 404]);
    }
    expect([400, 404]).toContain((await api.ask('GET', '/api/v1/namespaces/a%2Fb/services')).status);
    expect([400, 404]).toContain((await api.ask('GET', '/api/v1/namespaces/a!b/services')).status);
  });

  it('that are no HTTP at all get an answer or an end', async () => {
    expect(await raw('GET nonsense HTTP/1.1\r\nHost: localhost\r\n\r\n')).toContain('HTTP/1.1 400');
    expect(await raw('GET https://evil.example/api HTTP/1.1\r\nHost: evil.example\r\n\r\n')).toContain('HTTP/1.1 403');
    expect(await raw('GET /api HTTP/1.1\r\n\r\n')).toContain('HTTP/1.1 400');
    expect(await raw('\u0000\u0001\u0002\r\n\r\n')).toContain('HTTP/1.1 400');
    expect(await raw(`GET /api HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toContain('HTTP/1.1 431');
    expect(
      await raw('POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ).toContain('HTTP/1.1 400');
    expect((await api.ask('GET', '/healthz')).text).toBe('ok');
  });
});
