import type { IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StreamChannel } from '../../daemon/src/apps/channel/stream-channel.ts';
import { tokenOf, withoutToken } from '../../daemon/src/apps/http/credentials.ts';
import { parseRequestHead } from '../../daemon/src/apps/http/head.ts';
import { readFrame } from '../../daemon/src/apps/tunnel/frames.ts';
import { checkTunnelAnswer, encodeTunnelRequest, TUNNEL_PROTOCOL } from '../../protocol/peers/tunnel.ts';
import { waitFor } from '../wait.ts';
import { appsAt, exchange, message, type Site, Stage } from './site.ts';

describe.each([{ lanes: false }, { lanes: true }])('an app with authenticationType Capability, %o', ({ lanes }) => {
  let stage: Stage;
  let owner: Site;
  let caller: Site;
  let served: { url: string | undefined; headers: IncomingHttpHeaders }[];
  let port: number;
  let hosts: Record<string, string>;
  /** `ann@node1`, as the owner shows her: by the key that vouches for her. */
  let ann: string;

  beforeEach(async () => {
    stage = new Stage();
    owner = await stage.site('node0', ['d'], { lanes });
    caller = await stage.site('node1', ['d'], { lanes });
    served = [];
    port = await stage.origin((request, response) => {
      served.push({ url: request.url, headers: request.headers });
      response.end('inside');
    });
    hosts = await stage.expose(owner, { ports: [port], capability: true });
    ann = `ann@${String(caller.mesh.domains()[0]?.self).slice(0, 8)}`;
  });
  afterEach(() => stage.close());

  async function get(site: Site, ...fields: string[]): Promise<string> {
    const { text } = await exchange(site.port, message('GET /x HTTP/1.1', `Host: ${hosts[site.name]}`, ...fields, 'Connection: close'));
    return text;
  }

  /** Shares an app whose answers do not end. */
  async function exposeEndless(): Promise<void> {
    const endless = await stage.origin((_request, response) => void response.write('x'));
    hosts = await stage.expose(owner, { name: 'endless', ports: [endless], capability: true });
  }

  /** A request under way. */
  async function open(site: Site, token: string): Promise<Socket> {
    const socket = connect(site.port, '127.0.0.1', () =>
      socket.write(message('GET / HTTP/1.1', `Host: ${hosts[site.name]}`, `Authorization: Bearer ${token}`)),
    );
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('data', resolve));
    return socket;
  }

  it('asks for a token, refuses who lacks REQUEST, and lets in who has it', async () => {
    const token = caller.users.add('ann');
    const without = await get(caller);
    expect(without).toMatch(/^HTTP\/1\.1 401 /);
    expect(without).toContain('WWW-Authenticate: Bearer realm="dtkd"\r\n');
    expect(await get(caller, 'Authorization: Bearer dtkd_nobody')).toMatch(/^HTTP\/1\.1 401 /);
    expect(await get(caller, `Authorization: Bearer ${token}`)).toMatch(/^HTTP\/1\.1 403 .*may not REQUEST/s);
    expect(served).toEqual([]);
    owner.users.let(ann, true);
    expect(await get(caller, `Authorization: Bearer ${token}`)).toMatch(/^HTTP\/1\.1 200 .*inside/s);
    const basic = Buffer.from(`ann:${token}`).toString('base64');
    expect(await get(caller, `Authorization: Basic ${basic}`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await get(caller, `Cookie: a=1; dtkd_token=${token}; b=2`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(JSON.stringify(served)).not.toContain('dtkd_');
    expect(served[2]?.headers.cookie).toBe('a=1; b=2');
    owner.users.let(ann, false);
    expect(await get(caller, `Authorization: Bearer ${token}`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(new Set(owner.users.admitted)).toEqual(new Set([`${ann} false`, `${ann} true`]));
  });

  it('is decided at its own ingress alike', async () => {
    const token = owner.users.add('bob');
    expect(await get(owner)).toMatch(/^HTTP\/1\.1 401 /);
    expect(await get(owner, `Authorization: Bearer ${token}`)).toMatch(/^HTTP\/1\.1 403 /);
    owner.users.let('bob@node0', true);
    expect(await get(owner, `Authorization: Bearer ${token}`)).toMatch(/^HTTP\/1\.1 200 /);
    // a token of another node's user counts there only
    expect(await get(owner, `Authorization: Bearer ${caller.users.add('ann')}`)).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('gives one user nothing of what another is let through for, on one connection', async () => {
    owner.users.let(ann, true);
    const tokens = { ann: caller.users.add('ann'), eve: caller.users.add('eve') };
    const wire = ['ann', 'eve', 'ann'].map((name, index) =>
      message(
        'GET /x HTTP/1.1',
        `Host: ${hosts['node1']}`,
        `Authorization: Bearer ${name === 'ann' ? tokens.ann : tokens.eve}`,
        ...(index === 2 ? ['Connection: close'] : []),
      ),
    );
    const { text } = await exchange(caller.port, wire.join(''));
    expect(text.split(/(?=HTTP\/1\.1 )/).map((one) => one.slice(9, 12))).toEqual(['200', '403', '200']);
  });

  it('cuts what is under way once the right is gone, at either ingress', async () => {
    owner.users.let(ann, true);
    owner.users.let('bob@node0', true);
    await exposeEndless();
    const far = await open(caller, caller.users.add('ann'));
    const near = await open(owner, owner.users.add('bob'));
    const closed = Promise.all([far, near].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    owner.users.let(ann, false);
    owner.users.let('bob@node0', false);
    await closed;
    await waitFor(() => owner.apps.counters()['tunnelsServed'] === 0, { what: 'the tunnel to be cut' });
  });

  it('cuts what was begun with a token that counts no more, at either ingress', async () => {
    owner.users.let(ann, true);
    owner.users.let('bob@node0', true);
    await exposeEndless();
    const tokens = { far: caller.users.add('ann'), near: owner.users.add('bob') };
    const sockets = [await open(caller, tokens.far), await open(owner, tokens.near)];
    const closed = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    caller.users.end(tokens.far);
    owner.users.end(tokens.near);
    await closed;
    await waitFor(() => owner.apps.counters()['tunnelsServed'] === 0, { what: 'the tunnel to be cut' });
  });

  it('refuses a tunnel that names no user, or one without the right', async () => {
    const app = (await appsAt(owner)).find((each) => each['owner'] === undefined);
    const domain = owner.mesh.domains()[0];
    if (app === undefined || domain === undefined) throw new Error('no app');
    const tunnel = async (user?: { name: string; uid: string }) => {
      const channel = new StreamChannel(await caller.mesh.openStream(domain.id, domain.self, TUNNEL_PROTOCOL));
      channel.write(encodeTunnelRequest({ app: app.metadata.uid, name: 'app', ...(user === undefined ? {} : { user }) }));
      checkTunnelAnswer(await readFrame(channel, 60_000));
      channel.abort();
    };
    await expect(tunnel()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(tunnel({ name: 'ann', uid: 'u' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    owner.users.let(ann, true);
    await tunnel({ name: 'ann', uid: 'u' });
  });

  it('is forwarded for users, not for the operator, whose rights end at its node', async () => {
    owner.users.let(ann, true);
    const token = caller.users.add('ann');
    const user = caller.users.userOf(token);
    if (user === undefined) throw new Error();
    for (const principal of [user, { type: 'operator', name: 'operator' } as const]) {
      const stop = new AbortController();
      const events = (await caller.apps.createForward({ name: 'app', principal, signal: stop.signal }))[Symbol.asyncIterator]();
      const first = await events.next();
      if (first.done === true || !('listening' in first.value)) throw new Error('no forward');
      const at = Number(first.value.listening.split(':')[1]);
      const { text } = await exchange(at, message('GET / HTTP/1.1', 'Host: a', 'Connection: close'));
      if (principal.type === 'user') expect(text).toMatch(/^HTTP\/1\.1 200 /);
      else expect(text).toBe('');
      stop.abort();
    }
  });
});

describe('tokens in requests', () => {
  const head = (...fields: string[]) =>
    parseRequestHead(`GET / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`);

  it('are found where they may be', () => {
    expect(tokenOf(head())).toBeUndefined();
    expect(tokenOf(head('Authorization: bearer dtkd_a'))).toBe('dtkd_a');
    expect(tokenOf(head('Authorization: Bearer other'))).toBeUndefined();
    expect(tokenOf(head(`Authorization: Basic ${Buffer.from('x:dtkd_b').toString('base64')}`))).toBe('dtkd_b');
    expect(tokenOf(head(`Authorization: Basic ${Buffer.from('x:y').toString('base64')}`))).toBeUndefined();
    expect(tokenOf(head('Cookie: a=b; dtkd_token=dtkd_c'))).toBe('dtkd_c');
    expect(tokenOf(head('Cookie: not_dtkd_token=dtkd_c'))).toBeUndefined();
    expect(tokenOf(head('Cookie: dtkd_token=dtkd_c; dtkd_token=dtkd_c'))).toBe('dtkd_c');
    expect(tokenOf(head('Cookie: dtkd_token=dtkd_of-a-neighbour; dtkd_token=dtkd_c')), 'whose it is nobody knows').toBeUndefined();
  });

  it('are taken away, and nothing else is', () => {
    expect(withoutToken('authorization', 'Bearer dtkd_a')).toBeUndefined();
    expect(withoutToken('authorization', 'Bearer other')).toBe('Bearer other');
    expect(withoutToken('authorization', `Basic ${Buffer.from('x:y').toString('base64')}`)).toBe('Basic eDp5');
    expect(withoutToken('cookie', 'dtkd_token=dtkd_a')).toBeUndefined();
    expect(withoutToken('cookie', 'dtkd_token="x y"; a=1')).toBe('a=1');
    expect(withoutToken('cookie', 'a=1;dtkd_token=dtkd_a;b=2')).toBe('a=1;b=2');
    expect(withoutToken('cookie', 'my_dtkd_token=1')).toBe('my_dtkd_token=1');
    expect(withoutToken('accept', 'dtkd_token=1')).toBe('dtkd_token=1');
  });
});
