import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join as joinPath } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Child } from '../harness/child.ts';
import { connected, copyOf, peers, uriOf } from '../harness/domain.ts';
import { fetchText } from '../harness/http.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import type { Origin } from '../harness/origin.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const DOMAIN = 'mydomain';

/** What each `it` builds on what the one before left: the story of the seed, told once, by three real daemons. */
describe('three sites share a service', () => {
  let node0: Site;
  let node1: Site;
  let node2: Site;
  let origin: Origin;
  const uris = new Map<Site, string>();

  beforeAll(async () => {
    [node0, node1, node2] = (await stage.current.startAll('node0', 'node1', 'node2')) as [Site, Site, Site];
    origin = await stage.current.origin({ name: 'wiki' });
  });

  it('founds a domain from a document', async () => {
    const file = await document(
      'domain.yaml',
      `apiVersion: sid.sightlineinnovation.com/v1\nkind: dtDomain\nmetadata:\n  name: ${DOMAIN}\n`,
    );
    const applied = await node0.cli('apply', '-f', file);
    expect(applied).toMatchObject({ code: 0 });
    const domain = await node0.waitForObject('dtdomain', DOMAIN, (object) => object['status'] === 'Ready');
    expect(domain['inviteToken']).toMatch(/^[A-Za-z0-9_-]{100,}$/);
    expect(domain.metadata.namespace).toBe('node0');
  });

  it('lets a site join by a document', async () => {
    const { inviteToken } = await node0.waitForObject('dtdomain', DOMAIN);
    const file = await document(
      'join.yaml',
      `apiVersion: sid.sightlineinnovation.com/v1
kind: dtDomain
metadata:
  name: ${DOMAIN}
spec:
  peer:
    address: ${node0.meshAddress}
    inviteToken: ${inviteToken}
`,
    );
    expect(await node1.cli('apply', '-f', file)).toMatchObject({ code: 0 });
    await node1.waitForObject('dtdomain', DOMAIN, (object) => object['status'] === 'Ready');
  });

  it('lets a site join by a command, with the token on standard input', async () => {
    const invited = await node0.cli('domain', 'invite', DOMAIN, '-o', 'json');
    expect(invited).toMatchObject({ code: 0 });
    const { token } = JSON.parse(invited.stdout) as { token: string };
    expect(await node2.cliWith({ stdin: `${token}\n` }, 'domain', 'join', node0.meshAddress, '-')).toMatchObject({ code: 0 });
    const sites = [node0, node1, node2];
    await Promise.all(sites.map((site) => connected(site, DOMAIN, sites)));
  });

  it('shows the members as the seed does', async () => {
    const seen = await waitFor(
      async () => {
        const all = await peers(node0, DOMAIN);
        return all.filter((peer) => peer['connected'] === true).length >= 2 ? all : undefined;
      },
      { what: 'two connected peers' },
    );
    for (const peer of seen) {
      expect(peer.metadata.name).toMatch(/^[0-9a-f]{32}$/);
      expect(peer['id']).toBe(peer.metadata.name);
      expect(Buffer.from(String(peer['publicKey']), 'base64')).toHaveLength(32);
    }
    const domain = await node0.waitForObject('dtdomain', DOMAIN, (object) => Array.isArray(object['peers']) && object['peers'].length >= 2);
    expect(domain['peers']).toEqual([...(domain['peers'] as string[])].sort());
  });

  it('shares a service in one line and shows a copy with a URI of its own on every other node', async () => {
    const exposed = await node0.cli('app', 'expose', 'wiki', '--to', `${origin.host}:${origin.port}`, '--domain', DOMAIN);
    expect(exposed).toMatchObject({ code: 0 });
    for (const site of [node1, node2]) {
      const uri = await uriOf(site, 'wiki', node0);
      expect(new URL(uri).hostname).toMatch(new RegExp(`^[0-9a-f]{32}\\.${site.name}\\.dtkd\\.localhost$`));
      uris.set(site, uri);
    }
    expect(uris.get(node1)).not.toBe(uris.get(node2));
  });

  it('serves the body at both other nodes', async () => {
    for (const [site, uri] of uris) expect(await site.fetchUri(uri)).toMatchObject({ status: 200, body: 'hello from wiki\n' });
  });

  it('passes uploads, errors and headers on', async () => {
    for (const [site, uri] of uris) {
      const upload = await site.fetchUri(uri, { path: '/sink', method: 'POST', body: 'x'.repeat(1_000_000) });
      expect(JSON.parse(upload.body)).toEqual({ bytes: 1_000_000 });
      expect(await site.fetchUri(uri, { path: '/status?code=418' })).toMatchObject({ status: 418 });
      expect(await site.fetchUri(uri, { path: '/nothing' })).toMatchObject({ status: 404, body: 'wiki has no /nothing\n' });
    }
  });

  it('echoes over a WebSocket', async () => {
    for (const [site, uri] of uris) {
      const target = await site.ingress();
      if (!('host' in target)) throw new Error('a loopback site');
      const socket = new WebSocket(`ws://${target.host}:${target.port}/ws`, { headers: { host: new URL(uri).host } });
      const echoed: string[] = [];
      socket.on('message', (data) => echoed.push(String(data)));
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      socket.send('first');
      socket.send('second');
      await waitFor(() => echoed.length === 2, { what: 'the echo' });
      expect(echoed).toEqual(['first', 'second']);
      socket.close();
      await waitFor(() => socket.readyState === WebSocket.CLOSED, { what: 'the close' });
    }
  });

  it('streams events as they happen and tells the origin when the client goes away', async () => {
    const aborted = async (): Promise<number> =>
      (JSON.parse((await fetchText({ target: origin, path: '/stats' })).body) as { aborted: number }).aborted;
    for (const [site, uri] of uris) {
      const before = await aborted();
      const client = new AbortController();
      const response = await site.openUri(uri, { path: '/events', signal: client.signal });
      expect(response.headers['content-type']).toBe('text/event-stream');
      let text = '';
      response.on('error', () => undefined).setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      await waitFor(() => text.includes('tick 3 of wiki'), { what: 'the third event of a stream without end' });
      client.abort();
      await waitFor(async () => (await aborted()) > before, { what: 'the origin to see that the client is gone' });
    }
  });

  it('forwards any TCP protocol', async () => {
    await node0.cli('app', 'expose', 'echo', '--to', `${origin.host}:${origin.tcpPort}`, '--domain', DOMAIN);
    await uriOf(node1, 'echo', node0);
    const forward = new Child({ command: NODE, args: [DTKD, '--data', node1.dir, 'app', 'forward', 'echo'] });
    const [, port] = await forward.output(/127\.0\.0\.1:(\d+)/);
    const socket = connect({ host: '127.0.0.1', port: Number(port) });
    let back = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      back += text;
    });
    socket.write('any bytes at all');
    await waitFor(() => back === 'any bytes at all', { what: 'the bytes to come back' });
    socket.destroy();
    await forward.end('SIGINT');
  });

  it('answers 503 naming the owner while it is away, and serves again when it is back', async () => {
    await node0.stop();
    const uri = String(uris.get(node1));
    const away = await waitFor(
      async () => {
        const answer = await node1.fetchUri(uri);
        return answer.status === 503 ? answer : undefined;
      },
      { what: 'the ingress to notice that the owner is away' },
    );
    expect(away.body).toContain('node0');
    expect((await copyOf(node1, 'wiki', 'node0'))?.['URI']).toBe(uri);
    await node0.start();
    await waitFor(async () => (await node1.fetchUri(uri)).status === 200, { what: 'the owner to serve again' });
  });

  it('takes the copies away when the app is deleted', async () => {
    const copy = await copyOf(node1, 'wiki', 'node0');
    await node0.delete('dtapp', 'wiki');
    await node1.waitForAbsence('dtapp', String(copy?.metadata.name));
    expect(await node1.fetchUri(String(uris.get(node1)))).toMatchObject({ status: 404 });
  });

  it('starts all at once after all were gone, and is whole again', async () => {
    const sites = [node0, node1, node2];
    await Promise.all(sites.map((site) => site.kill9()));
    await Promise.all(sites.map((site) => site.start()));
    await Promise.all(sites.map((site) => connected(site, DOMAIN, sites)));
    await uriOf(node2, 'echo', node0);
  });

  async function document(name: string, text: string): Promise<string> {
    const path = joinPath(stage.current.directory, name);
    await writeFile(path, text);
    return path;
  }
});
