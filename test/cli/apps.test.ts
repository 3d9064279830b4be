import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DtkdError } from '../../protocol/errors.ts';
import { APP_LABEL, dtAppKind, OWNER_LABEL } from '../../protocol/kinds/dtapp.ts';
import { dtDomainKind } from '../../protocol/kinds/dtdomain.ts';
import { endpointsKind } from '../../protocol/kinds/endpoints.ts';
import { serviceKind } from '../../protocol/kinds/service.ts';
import { Child } from '../harness/child.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import { FakeDaemon } from './fake-daemon.ts';

describe('dtkd app', () => {
  let daemon: FakeDaemon;
  let ingress: Server;
  /** The node says that it was put back from a backup. */
  let restored = false;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
    ingress = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { method, url, headers } = request;
        response.writeHead(url === '/missing' ? 404 : 200, { 'x-answer': 'yes' });
        response.end(
          JSON.stringify({
            method,
            url,
            host: headers.host,
            login: headers.authorization,
            type: headers['content-type'],
            body: Buffer.concat(parts).toString(),
          }),
        );
      });
    });
    await new Promise<void>((resolve) => ingress.listen(0, '127.0.0.1', resolve));
    const port = (ingress.address() as AddressInfo).port;
    daemon.script('GET', /\/daemon\/status$/, () => ({ ingress: `127.0.0.1:${port}` }));
    daemon.script('GET', /\/members$/, () => ({
      name: 'mydomain',
      state: 'Ready',
      ...(restored ? { message: 'this node was restored and shares nothing new' } : {}),
      peers: [
        { id: '0', displayName: 'node0', self: true },
        { id: '1', displayName: 'node1', connected: true },
      ],
    }));
    daemon.put(dtDomainKind, 'mydomain', { status: 'Ready' });
    daemon.put(
      dtAppKind,
      '0dc2454cd73640a0816c1fee74a040c3',
      { URI: 'http://0dc2.node0.dtkd.localhost:7702', owner: 'node1', status: 'Ready', spec: { domainSelector: { name: ['mydomain'] } } },
      { labels: { [APP_LABEL]: 'wiki', [OWNER_LABEL]: 'node1' } },
    );
  });
  afterAll(async () => {
    await daemon.stop();
    ingress.closeAllConnections();
    await new Promise((resolve) => ingress.close(resolve));
  });

  it('expose writes Service, Endpoints and dtApp, tells the URI and who sees it, and can be repeated', async () => {
    daemon.script('POST', /\/dtapps$/, ({ body }) =>
      daemon.put(
        dtAppKind,
        'shop',
        { ...(body as object), URI: 'http://shop.x:7702', status: 'Ready' },
        (body as { metadata: object }).metadata,
      ),
    );
    const first = await daemon.cli(
      'app',
      'expose',
      'shop',
      '--to',
      '10.1.2.3:8080',
      '--domain',
      'mydomain',
      '--auth-url',
      'http://10.1.2.3/check',
    );
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toContain('shop leads to 10.1.2.3:8080 and is shared into mydomain.');
    expect(first.stdout).toContain('Here:       http://shop.x:7702\n');
    expect(first.stdout).toContain('mydomain:   node1, each under its own URI\n');
    expect(daemon.object(serviceKind, 'shop')).toMatchObject({ spec: { ports: [{ port: 8080, targetPort: 8080 }] } });
    expect(daemon.object(endpointsKind, 'shop')).toMatchObject({ subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 8080 }] }] });
    expect(daemon.object(dtAppKind, 'shop')).toMatchObject({
      spec: {
        serviceSelector: { name: 'shop' },
        domainSelector: { name: ['mydomain'] },
        authenticationType: 'Custom',
        authenticationURL: 'http://10.1.2.3/check',
      },
    });
    expect(first.stdout).not.toContain('Before');
    const moved = await daemon.cli('app', 'expose', 'shop', '--to', '10.1.2.5:8080');
    expect(moved.stdout).toMatch(/^shop leads to 10\.1\.2\.5:8080 and .*\nBefore, it led to 10\.1\.2\.3:8080\.\n/);
    expect((await daemon.cli('app', 'expose', 'shop', '--to', '10.1.2.5:8080')).stdout).not.toContain('Before');
    expect(await daemon.cli('app', 'expose', 'shop', '--to', '10.1.2.4:8080', '-o', 'name')).toMatchObject({ code: 0 });
    expect(daemon.object(endpointsKind, 'shop')).toMatchObject({ subsets: [{ addresses: [{ ip: '10.1.2.4' }] }] });
    const several = await daemon.cli('app', 'expose', 'shop', '--to', '10.1.2.4:8080', '--to', '10.1.2.5:9090');
    expect(several.stdout).toMatch(/^shop leads to 10\.1\.2\.4:8080, then 10\.1\.2\.5:9090 and /);
    expect(daemon.object(serviceKind, 'shop')).toMatchObject({ spec: { ports: [{ port: 8080, targetPort: 8080 }] } });
    expect(daemon.object(endpointsKind, 'shop')).toMatchObject({
      subsets: [
        { addresses: [{ ip: '10.1.2.4' }], ports: [{ port: 8080 }] },
        { addresses: [{ ip: '10.1.2.5' }], ports: [{ port: 9090 }] },
      ],
    });
    restored = true;
    const { stdout } = await daemon.cli('app', 'expose', 'shop', '--to', '10.1.2.4:8080');
    restored = false;
    expect(stdout).toContain('shop leads to 10.1.2.4:8080 and will be shared into mydomain.');
    expect(stdout).toContain('mydomain:   this node was restored and shares nothing new\n');
  });

  it('expose leaves objects alone that others made, and takes back what it could not finish', async () => {
    daemon.put(serviceKind, 'mine', { spec: { ports: [{ port: 1 }] } });
    expect(await daemon.cli('app', 'expose', 'mine', '--to', '8080')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('already a Service mine'),
    });
    daemon.script('POST', /\/dtapps$/, () => {
      throw new DtkdError('INVALID', 'spec: no');
    });
    expect(await daemon.cli('app', 'expose', 'half', '--to', '8080')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('spec: no'),
    });
    expect([endpointsKind, serviceKind].map((kind) => daemon.object(kind, 'half'))).toEqual([undefined, undefined]);
  });

  it('expose warns of an endpoint where nothing answers', async () => {
    const ports = async (server: Server) => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    };
    const closed = createServer();
    const free = await ports(closed);
    await new Promise((resolve) => closed.close(resolve));
    const open = createServer();
    const taken = await ports(open);
    const silent = await daemon.cli('app', 'expose', 'shop', '--to', `${free}`);
    const answering = await daemon.cli('app', 'expose', 'shop', '--to', `${taken}`);
    await new Promise((resolve) => open.close(resolve));
    daemon.put(dtAppKind, 'shop', { spec: { serviceSelector: { name: 'shop' }, domainSelector: { name: ['mydomain'] } }, status: 'Ready' });
    const shown = await daemon.cli('app', 'show', 'shop');
    expect(silent).toMatchObject({ code: 0, stderr: expect.stringContaining(`nothing answers at 127.0.0.1:${free}`) });
    expect(shown.stdout).toMatch(new RegExp(`^Leads to: +service shop at 127\\.0\\.0\\.1:${taken}, where nothing answers now$`, 'm'));
    expect(answering).toMatchObject({ code: 0, stderr: expect.not.stringContaining('nothing answers') });
  });

  it('expose explains a domain or an address that is none', async () => {
    const [domain, address] = await Promise.all([
      daemon.cli('app', 'expose', 'x', '--to', '8080', '--domain', 'other'),
      daemon.cli('app', 'expose', 'x', '--to', 'no port'),
    ]);
    expect(domain).toMatchObject({ code: 5, stderr: expect.stringContaining('This node is in: mydomain.') });
    expect(address).toMatchObject({ code: 2, stderr: expect.stringContaining('is not HOST:PORT') });
  });

  it('says to a user what does not show to it, not that it is not there', async () => {
    const own = await FakeDaemon.start();
    try {
      own.script('GET', /\/daemon\/whoami$/, () => ({ type: 'user', node: 'node0', display: 'ops@node0' }));
      own.script('GET', /\/members$/, () => {
        throw new DtkdError('FORBIDDEN', 'ops@node0 may not MANAGE dtdomains "mydomain"');
      });
      expect(await own.cli('app', 'expose', 'wiki', '--to', '8080')).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(
          /^error: no domain of node0 is visible to ops@node0\nnext: .*dtkd grant ops@node0 READ --on dtdomain\n/,
        ),
      });
      own.put(dtDomainKind, 'mydomain', { status: 'Ready' });
      const exposed = await own.cli('app', 'expose', 'wiki', '--to', '8080');
      expect(exposed).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('mydomain:   its members see it, each under its own URI\n'),
      });
      await own.cli('delete', 'endpoints', 'wiki');
      for (const [status, said] of [
        ['Ready', 'service wiki, whose Endpoints you may not see'],
        ['NoEndpoints', 'service wiki, which has no Endpoints'],
      ]) {
        own.put(dtAppKind, 'wiki', { status, spec: { serviceSelector: { name: 'wiki' }, domainSelector: { name: ['mydomain'] } } });
        expect((await own.cli('app', 'show', 'wiki')).stdout).toMatch(new RegExp(`^Leads to: +${said}$`, 'm'));
      }
    } finally {
      await own.stop();
    }
  });

  it('curl reaches the app through the ingress by its own name', async () => {
    const { code, stdout } = await daemon.cli('app', 'curl', 'wiki', '/a?b=c', '-X', 'PUT', '-d', 'text', '-H', 'content-type: text/plain');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      method: 'PUT',
      url: '/a?b=c',
      host: '0dc2.node0.dtkd.localhost:7702',
      type: 'text/plain',
      body: 'text',
    });
  });

  it('curl lets a user in to an app for users, and no operator', async () => {
    const port = (ingress.address() as AddressInfo).port;
    const spec = { domainSelector: { name: ['mydomain'] }, authenticationType: 'Capability' };
    daemon.put(
      dtAppKind,
      'desk',
      { URI: `http://desk.node0.dtkd.localhost:${port}`, owner: 'node1', status: 'Ready', spec },
      { labels: { [APP_LABEL]: 'desk', [OWNER_LABEL]: 'node1' } },
    );
    const scripts = { type: 'operator', forbidden: false };
    daemon.script('GET', /\/daemon\/whoami$/, () => ({ type: scripts.type }));
    const status = { ingress: `127.0.0.1:${port}` };
    daemon.script('GET', /\/daemon\/status$/, () => {
      if (scripts.forbidden) throw new DtkdError('FORBIDDEN', 'for the operator');
      return status;
    });
    expect(JSON.parse((await daemon.cli('app', 'curl', 'desk')).stdout)).not.toHaveProperty('login');
    Object.assign(scripts, { type: 'user', forbidden: true });
    expect(JSON.parse((await daemon.cli('app', 'curl', 'desk')).stdout)).toMatchObject({ login: `Bearer ${daemon.token}` });
    expect(JSON.parse((await daemon.cli('app', 'curl', 'desk', '-H', 'Authorization: own')).stdout)).toMatchObject({ login: 'own' });
    scripts.forbidden = false;
  });

  it('curl -i prints the head, -f fails as curl does', async () => {
    const [head, failed] = await Promise.all([
      daemon.cli('app', 'curl', 'node1/wiki', '-i'),
      daemon.cli('app', 'curl', 'wiki', '/missing', '-f'),
    ]);
    expect(head.stdout).toMatch(/^HTTP\/1\.1 200 OK\nx-answer: yes\n/);
    expect(failed).toMatchObject({ code: 22, stdout: '', stderr: 'error: wiki answered with status 404\n' });
  });

  it('open prints the URI where there is no browser', async () => {
    const env = { DISPLAY: '', WAYLAND_DISPLAY: '', BROWSER: '' };
    expect(await daemon.cliWith({ env }, 'app', 'open', 'wiki')).toMatchObject({
      code: 0,
      stdout: 'http://0dc2.node0.dtkd.localhost:7702\n',
    });
  });

  it('ls names apps as their owners do', async () => {
    const { stdout } = await daemon.cli('app', 'ls');
    expect(stdout).toMatch(/^APP +OWNER +STATUS +URI$/m);
    expect(stdout).toMatch(/^wiki +node1 +Ready +http:\/\/0dc2\.node0\.dtkd\.localhost:7702$/m);
    expect((await daemon.cli('app', 'ls', '--list', 'names')).stdout).toMatch(/^wiki$/m);
    expect((await daemon.cli('app', 'ls', '--list', 'own')).stdout).not.toMatch(/^wiki$/m);
  });

  it('show tells where an app leads', async () => {
    const { stdout } = await daemon.cli('app', 'show', 'wiki');
    expect(stdout).toMatch(/^Owner: +node1$/m);
    expect(stdout).toMatch(/^Leads to: +a service of node1$/m);
  });

  it('forward tells where it listens and ends with the daemon or with Ctrl-C', async () => {
    daemon.script('POST', /\/0dc2454cd73640a0816c1fee74a040c3\/forward$/, ({ body }) => {
      const { local } = body as { local: string };
      return local.endsWith(':5432') ? { lines: lines(local) } : { lines: forever(local) };
    });
    const ended = await daemon.cli('app', 'forward', 'wiki', '--local', '5432');
    expect(ended).toMatchObject({ code: 7, stdout: 'Forwarding 127.0.0.1:5432 to wiki of node1. Press Ctrl-C to stop.\n' });
    expect(ended.stderr).toContain('warning: node1 is away\n');
    const child = new Child({ command: NODE, args: [DTKD, '--data', daemon.dir, 'app', 'forward', 'wiki'] });
    await child.output(/Forwarding 127\.0\.0\.1:0 to wiki/);
    expect(await child.end('SIGINT')).toEqual({ code: 0, signal: null });
  });

  it('rm takes away what expose made, and nothing else', async () => {
    expect(await daemon.cli('app', 'rm', 'shop')).toMatchObject({ code: 0, stdout: 'shop is no longer shared.\n' });
    expect([serviceKind, endpointsKind, dtAppKind].map((kind) => daemon.object(kind, 'shop'))).toEqual([undefined, undefined, undefined]);
    daemon.put(dtAppKind, 'mine', { spec: {} });
    expect(await daemon.cli('app', 'rm', 'node0/mine')).toMatchObject({ code: 0, stdout: 'mine is no longer shared.\n' });
    expect(daemon.object(serviceKind, 'mine')).toBeDefined();
    const [absent, foreign] = await Promise.all([daemon.cli('app', 'rm', 'absent'), daemon.cli('app', 'rm', 'wiki')]);
    expect(absent).toMatchObject({ code: 5 });
    expect(foreign).toMatchObject({ code: 4, stderr: expect.stringContaining('next: Run "dtkd app rm wiki" on node1.') });
  });
});

async function* lines(local: string): AsyncGenerator<unknown> {
  yield { listening: local };
  yield { connections: 1 };
  yield { error: 'node1 is away' };
}

async function* forever(local: string): AsyncGenerator<unknown> {
  yield { listening: local };
  await new Promise(() => undefined);
}
