import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StreamChannel } from '../../daemon/src/apps/channel/stream-channel.ts';
import { readFrame } from '../../daemon/src/apps/tunnel/frames.ts';
import { checkTunnelAnswer, encodeTunnelRequest, TUNNEL_PROTOCOL } from '../../protocol/peers/tunnel.ts';
import { waitFor } from '../wait.ts';
import { appsAt, exchange, message, type Site, Stage } from './site.ts';

describe('an app with authenticationType Custom', () => {
  let stage: Stage;
  let owner: Site;
  let caller: Site;
  let questions: { method: string | undefined; url: string | undefined; headers: IncomingHttpHeaders }[];
  let served: { url: string | undefined; headers: IncomingHttpHeaders }[];
  let authPort: number;
  let answer: number;

  beforeEach(async () => {
    stage = new Stage();
    owner = await stage.site('node0', ['d'], { lanes: true });
    caller = await stage.site('node1', ['d'], { lanes: true });
    questions = [];
    served = [];
    answer = 0;
    authPort = await stage.origin((request, response) => {
      questions.push({ method: request.method, url: request.url, headers: request.headers });
      const allowed = request.headers.authorization === 'Bearer good';
      const status = answer !== 0 ? answer : allowed ? 204 : 401;
      response.writeHead(status, status === 401 ? { 'www-authenticate': 'Bearer realm="app"' } : status === 302 ? { location: '/ok' } : {});
      response.end();
    });
  });
  afterEach(() => stage.close());

  async function expose(url = `http://127.0.0.1:${authPort}/check?app=1`): Promise<string> {
    const origin = await stage.origin((request, response) => {
      served.push({ url: request.url, headers: request.headers });
      request.resume();
      response.end('secret');
    });
    return (await stage.expose(owner, { ports: [origin], authenticationURL: url }))['node1'] ?? '';
  }

  it('is decided for every request of a connection, at the owner', async () => {
    const host = await expose();
    const wire = [
      `${message('POST /one HTTP/1.1', `Host: ${host}`, 'Authorization: Bearer good', 'Content-Length: 4')}body`,
      message('GET /two HTTP/1.1', `Host: ${host}`, 'Authorization: Bearer bad'),
      message(
        'GET /three HTTP/1.1',
        `Host: ${host}`,
        'Authorization: Bearer good',
        'X-Original-URI: /public',
        'X-Dtkd-Node: root',
        'Connection: close',
      ),
    ];
    const { text } = await exchange(caller.port, wire.join(''));
    const answers = text.split(/(?=HTTP\/1\.1 )/);
    expect(answers.map((one) => one.slice(9, 12))).toEqual(['200', '401', '200']);
    expect(answers[1]).toContain('WWW-Authenticate: Bearer realm="app"\r\n');
    expect(answers[1]).not.toContain('secret');
    expect(served.map((one) => one.url)).toEqual(['/one', '/three']);
    expect(served[1]?.headers['x-dtkd-node']).toBe('node1');
    expect(served[1]?.headers['x-original-uri']).toBeUndefined();
    expect(questions.map((one) => [one.method, one.url, one.headers['x-original-method'], one.headers['x-original-uri']])).toEqual([
      ['GET', '/check?app=1', 'POST', '/one'],
      ['GET', '/check?app=1', 'GET', '/two'],
      ['GET', '/check?app=1', 'GET', '/three'],
    ]);
    expect(questions[0]?.headers['content-length']).toBeUndefined();
    expect(questions[2]?.headers['x-dtkd-node']).toBe('node1');
    expect(owner.apps.counters()).toMatchObject({ authenticationsAsked: 3, authenticationsRefused: 1 });
    expect(caller.apps.counters()).toMatchObject({ authenticationsAsked: 0 });
  });

  it.each([
    [403, 403],
    [302, 502],
    [500, 502],
    [404, 502],
  ])('answers %i of the authentication with %i', async (given, expected) => {
    const host = await expose();
    answer = given;
    const { text } = await exchange(
      caller.port,
      message('GET / HTTP/1.1', `Host: ${host}`, 'Authorization: Bearer good', 'Connection: close'),
    );
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${expected} `));
    expect(served).toEqual([]);
    expect(questions).toHaveLength(1);
  });

  it('lets nobody in while the authentication cannot be had, leads to dtkd itself, or is not named', async () => {
    for (const url of ['http://127.0.0.1:1/', `http://127.0.0.1:${owner.port}/`, `http://localhost:${owner.port}/`]) {
      const host = await expose(url);
      const { text } = await exchange(caller.port, message('GET / HTTP/1.1', `Host: ${host}`, 'Connection: close'));
      expect(text).toMatch(/^HTTP\/1\.1 503 /);
    }
    expect(served).toEqual([]);
  });

  it('gives a hostile caller nothing: what it sends is read at the owner', async () => {
    await expose();
    const stored = (await appsAt(owner))[0];
    const domain = owner.mesh.domains()[0];
    const peer = domain?.self;
    if (stored === undefined || domain === undefined || peer === undefined) throw new Error('no app');
    const tunnel = async () => {
      const channel = new StreamChannel(await caller.mesh.openStream(domain.id, peer, TUNNEL_PROTOCOL));
      channel.write(encodeTunnelRequest({ app: stored.metadata.uid, name: 'app' }));
      checkTunnelAnswer(await readFrame(channel, 60_000));
      return channel;
    };
    const collect = async (bytes: string) => {
      const channel = await tunnel();
      let text = '';
      await new Promise<void>((resolve) => {
        channel.attach({
          onData: (chunk) => {
            text += chunk.toString('latin1');
          },
          onEnd: () => channel.end(),
          onDrain: () => undefined,
          onClose: resolve,
        });
        channel.resume();
        channel.write(Buffer.from(bytes, 'latin1'));
      });
      return text;
    };
    const good = 'Authorization: Bearer good';
    // A second request behind the first, hidden in a body, in a doubtful framing, and after an upgrade that was not agreed.
    const hidden = message('GET /hidden HTTP/1.1', 'Host: a');
    const first = await collect(
      message('GET /seen HTTP/1.1', 'Host: a', good) + message('GET /hidden HTTP/1.1', 'Host: a', 'Connection: close'),
    );
    expect(first).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 401 /s);
    const both = await collect(
      `${message('POST / HTTP/1.1', 'Host: a', good, 'Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n${hidden}`,
    );
    expect(both).toMatch(/^HTTP\/1\.1 400 /);
    const upgrade = message('GET /up HTTP/1.1', 'Host: a', good, 'Connection: Upgrade', 'Upgrade: x');
    const upgraded = await collect(upgrade + message('GET /hidden HTTP/1.1', 'Host: a', 'Connection: close'));
    expect(upgraded).toMatch(/HTTP\/1\.1 401 /);
    expect(served.map((one) => one.url)).toEqual(['/seen', '/up']);
  });

  it('closes raw tunnels when an open app becomes one that authenticates', async () => {
    const origin = await stage.origin((_request, response) => void response.write('x'));
    const host = (await stage.expose(owner, { ports: [origin] }))['node1'] ?? '';
    const socket = connect(caller.port, '127.0.0.1', () => socket.write(message('GET / HTTP/1.1', `Host: ${host}`)));
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('data', resolve));
    await stage.putApp(owner, { ports: [origin], authenticationURL: `http://127.0.0.1:${authPort}/` });
    await new Promise((resolve) => socket.once('close', resolve));
    await waitFor(() => owner.apps.counters()['tunnelsServed'] === 0, { what: 'the tunnel to be cut' });
  });
});
