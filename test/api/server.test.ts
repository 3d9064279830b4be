import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { connect as connectPlainly, type NetConnectOpts, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { SERVED } from '../../daemon/src/api/discovery/discovery.ts';
import { tryListening } from '../../daemon/src/api/server.ts';
import { waitFor } from '../wait.ts';
import { GROUP, SERVICES, serviceBody, startTestApi, TOKEN } from './fixtures.ts';

describe('the server', () => {
  it('says that its port is taken', async () => {
    const api = await startTestApi();
    await expect(startTestApi({ listen: { host: '127.0.0.1', port: api.server.port } })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      exitStatus: 11,
    });
    await expect(tryListening({ host: '127.0.0.1', port: api.server.port })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await expect(startTestApi({ listen: { host: '192.0.2.1', port: 0 } })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await api.close();
  });

  it('takes a port that was tried before', async () => {
    const first = await startTestApi();
    const at = { host: '127.0.0.1', port: first.server.port };
    await first.close();
    await tryListening(at);
    const api = await startTestApi({ listen: at });
    expect(api.server.port).toBe(at.port);
    await api.close();
  });

  it('ends watches when it closes, and lets running requests finish', async () => {
    const go = Promise.withResolvers<void>();
    const api = await startTestApi({
      actions: {
        slow: async () => {
          await go.promise;
          return { done: true };
        },
      },
    });
    expect(api.server.url).toBe(`https://127.0.0.1:${api.server.port}`);
    const watch = await api.watch(`${SERVICES}?watch=true`);
    const slow = api.ask('GET', '/apis/dtkd.dev/v1/daemon/slow');
    await api.ask('GET', '/healthz');
    const closing = api.server.close();
    await waitFor(() => watch.ended(), { what: 'the end of the watch' });
    expect(watch.answer.complete).toBe(true);
    go.resolve();
    expect((await slow).body).toEqual({ done: true });
    await closing;
    await api.close();
  });

  it('does not wait for those who never finish their handshake when it closes', async () => {
    const api = await startTestApi();
    const silent = connectPlainly({ host: '127.0.0.1', port: api.server.port });
    await once(silent, 'connect');
    // the server has it, too, once a later one was answered
    await api.ask('GET', '/livez');
    const gone = once(silent.on('error', () => {}).resume(), 'close');
    await api.close();
    await gone;
    const failures = api.logged.map(({ fields }) =>
      'err' in fields && fields.err instanceof Error && 'code' in fields.err ? fields.err.code : '',
    );
    expect(failures).not.toContain('ERR_TLS_HANDSHAKE_TIMEOUT');
  });

  it('lets those in who ask something, however many others hold connections and ask nothing', async () => {
    const api = await startTestApi({ maxConnections: 8 });
    const watch = await api.watch(`${SERVICES}?watch=true`);
    let open = 0;
    const silent: Socket[] = [];
    for (let index = 0; index < 20; index += 1) {
      const socket = connectPlainly({ host: '127.0.0.1', port: api.server.port });
      open += 1;
      socket.on('error', () => {}).on('close', () => (open -= 1));
      silent.push(socket.resume());
    }
    await waitFor(() => open < 8, { what: 'the oldest to give way' });
    const first = await api.ask('POST', SERVICES, { body: serviceBody('x'), headers: { connection: 'close' } });
    expect(first.status).toBe(201);
    await waitFor(() => watch.events.length > 0, { what: 'the watch to go on' });
    for (const socket of silent) socket.destroy();
    watch.stop();
    await api.close();
  });

  it('answers at a socket in the data directory as it does over TLS', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dtkd-socket-'));
    const path = join(directory, 'api.sock');
    // what a daemon that was killed left there
    await writeFile(path, '');
    const api = await startTestApi({ socket: { path, gid: undefined } });
    expect(api.server.socket).toBe(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await askSocket(path, '/api/v1/namespaces/default/services', { host: '127.0.0.1:7700' })).toBe(401);
    expect(await askSocket(path, SERVICES, { host: '127.0.0.1:7700', authorization: `Bearer ${TOKEN}` })).toBe(200);
    expect(await askSocket(path, SERVICES, { host: 'evil.example', authorization: `Bearer ${TOKEN}` })).toBe(403);
    await api.close();
    await expect(stat(path)).rejects.toThrow('ENOENT');
    await rm(directory, { recursive: true });
  });

  it('works without that socket where there cannot be one', async () => {
    const api = await startTestApi({ socket: { path: join(tmpdir(), 'x'.repeat(120)), gid: undefined } });
    expect(api.server.socket).toBeUndefined();
    expect(api.logged).toContainEqual(expect.objectContaining({ level: 'info', message: expect.stringContaining('no socket') }));
    expect((await api.ask('GET', '/healthz')).status).toBe(200);
    await api.close();
  });

  it('is not ready while something does not hold, and says what, as Kubernetes does', async () => {
    let why: string | undefined = 'the disk is full';
    const checks = [
      { name: 'store', failing: async () => undefined },
      { name: 'disk', failing: async () => why },
    ];
    const api = await startTestApi({ checks });
    const failed = '[+]ping ok\n[+]store ok\n[-]disk failed: reason withheld\nreadyz check failed\n';
    expect(await api.ask('GET', '/readyz')).toMatchObject({ status: 503, text: failed });
    expect(await api.ask('GET', '/readyz?verbose&exclude=disk')).toMatchObject({
      status: 200,
      text: '[+]ping ok\n[+]store ok\nreadyz check passed\n',
    });
    why = undefined;
    expect(await api.ask('GET', '/readyz')).toMatchObject({ status: 200, text: 'ok' });
    expect((await api.ask('GET', '/livez?verbose')).text).toBe('[+]ping ok\nlivez check passed\n');
    await api.close();
  });

  it('bounds watches and streams in number, and counts no more those that have ended', async () => {
    const told = Promise.withResolvers<void>();
    const stream = async function* () {
      yield 1;
    };
    const api = await startTestApi({
      maxStreams: 3,
      actions: {
        stream: async ({ signal }) => {
          signal.addEventListener('abort', () => told.resolve());
          return { stream: stream() };
        },
      },
    });
    const watches = await Promise.all(Array.from({ length: 3 }, () => api.watch(`${SERVICES}?watch=true`)));
    expect(await api.ask('GET', `${SERVICES}?watch=true`)).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect((await api.ask('GET', '/apis/dtkd.dev/v1/daemon/stream')).status).toBe(429);
    await told.promise;
    for (const watch of watches) watch.stop();
    await waitFor(async () => (await api.ask('GET', '/apis/dtkd.dev/v1/daemon/stream')).status === 200, { what: 'room for a stream' });
    await api.close();
  });

  it('answers HEAD without what would be read, and keeps nothing open for it', async () => {
    const api = await startTestApi({ maxStreams: 3 });
    for (let asked = 0; asked < 5; asked += 1)
      expect(await api.ask('HEAD', `${SERVICES}?watch=true`)).toMatchObject({ status: 200, text: '' });
    expect(await api.ask('HEAD', '/readyz')).toMatchObject({ status: 200, text: '' });
    await api.close();
  });

  it('says to who speaks plain HTTP that it speaks HTTPS, and where', async () => {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const api = await startTestApi({ listen: { host, port: 0 } });
      const { port } = api.server;
      const at = { host: '127.0.0.1', port };
      const answer = await plain(at, 'GET /healthz?<b> HTTP/1.1\r\nHost: evil.example\r\nConnection: keep-alive\r\n\r\n');
      expect(answer).toMatch(
        /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\r\nConnection: close\r\n\r\nThis port speaks HTTPS, and you sent plain HTTP\.\n/,
      );
      expect(answer).toContain(`next: Use https://127.0.0.1:${port} instead`);
      expect(answer).not.toMatch(/evil|healthz/);
      // a client that knows HTTP takes it as an answer
      expect(await askPlain({ ...at, path: '/healthz' })).toMatchObject({ status: 400, type: 'text/plain; charset=utf-8' });
      await api.close();
    }
  });

  it('stays as it was whatever comes in place of a handshake, and from whom that has gone', async () => {
    const api = await startTestApi();
    const { port } = api.server;
    const get = 'GET / HTTP/1.1\r\n\r\n';
    for (const sent of ['', '\0', 'x', 'GET', '\x16\x03\x01', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\n\r\n']) {
      expect(await plain({ host: '127.0.0.1', port }, sent)).not.toContain('HTTP/1.1 2');
    }
    await Promise.all(Array.from({ length: 50 }, () => goneAfter({ host: '127.0.0.1', port }, get)));
    expect(await plain({ host: '127.0.0.1', port }, get)).toMatch(/^HTTP\/1\.1 400 /);
    expect((await api.ask('GET', '/healthz')).text).toBe('ok');
    await api.close();
  });

  it('speaks no TLS below 1.2', async () => {
    const api = await startTestApi();
    const socket = connect({
      host: '127.0.0.1',
      port: api.server.port,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      rejectUnauthorized: false,
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    const error = await new Promise<Error>((resolve) => socket.on('error', resolve));
    expect(error.message).toMatch(/protocol version|unsupported protocol/i);
    expect((await api.ask('GET', '/healthz')).text).toBe('ok');
    await api.close();
  });
});

describe('discovery', () => {
  it('lists versions, groups and resources', async () => {
    const api = await startTestApi();
    expect((await api.ask('GET', '/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    expect((await api.ask('GET', '/apis')).body).toMatchObject({
      kind: 'APIGroupList',
      groups: expect.arrayContaining([
        expect.objectContaining({ name: 'dtkd.dev' }),
        expect.objectContaining({ name: GROUP, preferredVersion: { groupVersion: `${GROUP}/v1`, version: 'v1' } }),
      ]),
    });
    expect((await api.ask('GET', `/apis/${GROUP}`)).body).toMatchObject({ kind: 'APIGroup', name: GROUP });
    const core = (await api.ask('GET', '/api/v1')).body;
    expect(core).toMatchObject({ kind: 'APIResourceList', groupVersion: 'v1' });
    expect(core.resources.find((resource: { name: string }) => resource.name === 'services')).toEqual({
      name: 'services',
      singularName: 'service',
      namespaced: true,
      kind: 'Service',
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      shortNames: ['svc'],
      categories: ['all'],
    });
    const peers = (await api.ask('GET', `/apis/${GROUP}/v1`)).body.resources.find(
      (resource: { name: string }) => resource.name === 'dtpeers',
    );
    expect(peers.verbs).toEqual(['delete', 'get', 'list', 'watch']);
    await api.close();
  });

  it('tells categories and subresources, and that nothing has changed', async () => {
    const api = await startTestApi({ subresources: { [`${GROUP}/dtdomains/invites`]: async () => ({}) } });
    const { resources } = (await api.ask('GET', `/apis/${GROUP}/v1`)).body;
    const named = (name: string) => resources.find((resource: { name: string }) => resource.name === name);
    expect(named('dtdomains').categories).toEqual(['all', 'dtkd']);
    expect(named('dtdomains/invites')).toMatchObject({ kind: 'dtDomain', namespaced: true, singularName: '' });
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
    const first = await api.ask('GET', '/apis', { headers: { accept } });
    const domains = first.body.items
      .flatMap((group: { versions: { resources: object[] }[] }) => group.versions.flatMap((version) => version.resources))
      .find((resource: { resource: string }) => resource.resource === 'dtdomains');
    expect(domains).toMatchObject({
      categories: ['all', 'dtkd'],
      subresources: [{ subresource: 'invites', responseKind: { kind: 'dtDomain' } }],
    });
    const etag = first.headers['etag'] ?? '';
    expect(await api.ask('GET', '/apis', { headers: { accept, 'if-none-match': `"other", ${etag}` } })).toMatchObject({
      status: 304,
      text: '',
    });
    expect((await api.ask('GET', '/apis', { headers: { 'if-none-match': etag } })).status, 'the plain one is another document').toBe(200);
    await api.close();
  });

  it('gives no short name to two kinds, nor one that kubectl knows for something else', async () => {
    // of kubectl's own kinds that are not served here
    const taken = 'cm cs csr deploy ds hpa ing limits netpol pc pdb po pv pvc quota rc rs sa sc sts crd crds pods';
    const names = SERVED.flatMap((kind) => [kind.plural, kind.singular, ...kind.shortNames]);
    // the plural of Endpoints is its singular
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual(['endpoints']);
    expect(names.filter((name) => taken.split(' ').includes(name))).toEqual([]);
  });

  it('is aggregated where a client accepts that', async () => {
    const api = await startTestApi();
    const accept = (version: string) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`;
    const answer = await api.ask('GET', '/apis', { headers: { accept: accept('v2') } });
    expect(answer.headers['content-type']).toContain('as=APIGroupDiscoveryList');
    expect(answer.body).toMatchObject({
      kind: 'APIGroupDiscoveryList',
      apiVersion: 'apidiscovery.k8s.io/v2',
      items: expect.arrayContaining([
        expect.objectContaining({
          metadata: { name: GROUP, creationTimestamp: null },
          versions: [expect.objectContaining({ version: 'v1' })],
        }),
      ]),
    });
    expect((await api.ask('GET', '/api', { headers: { accept: accept('v2beta1') } })).body).toMatchObject({
      apiVersion: 'apidiscovery.k8s.io/v2beta1',
      items: [{ metadata: { name: '' } }],
    });
    await api.close();
  });
});

it('answers with what it stored over a restart', async () => {
  const first = await startTestApi();
  const made = await first.ask('POST', SERVICES, { body: serviceBody('kept') });
  await first.server.close();
  const second = await startTestApi({ store: first.store });
  expect((await second.ask('GET', `${SERVICES}/kept`)).body).toEqual(made.body);
  await second.close();
});

/** What comes back for these bytes, and nothing after them, until the connection ends. */
async function plain(at: NetConnectOpts, bytes: string): Promise<string> {
  const socket = connectPlainly({ ...at, allowHalfOpen: true });
  socket.on('error', () => {});
  socket.end(bytes, 'latin1');
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  await closed(socket);
  return Buffer.concat(parts).toString();
}

async function goneAfter(at: NetConnectOpts, bytes: string): Promise<void> {
  const socket = connectPlainly(at);
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.write(bytes, () => socket.resetAndDestroy());
  await closed(socket);
}

/** With an error or without. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function askPlain(options: {
  host: string;
  port: number;
  path: string;
}): Promise<{ status: number | undefined; type: string | undefined }> {
  const request = httpRequest({ ...options, agent: false }).end();
  const [answer] = await once(request, 'response');
  answer.resume();
  await once(answer, 'end');
  return { status: answer.statusCode, type: answer.headers['content-type'] };
}

function askSocket(socketPath: string, path: string, headers: OutgoingHttpHeaders): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ socketPath, path, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    outgoing.on('error', reject).end();
  });
}
