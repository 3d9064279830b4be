import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findFreePort } from '../../daemon/src/mesh/host/port.ts';
import { LOCAL, type Site, Sites, settled } from './sites.ts';

let sites: Sites;
beforeEach(() => {
  sites = new Sites();
});
afterEach(() => sites.stop());

/** The join is refused with this code, and leaves nothing on either side. */
async function refused(joiner: Site, address: string, token: string, code: string, name = 'd'): Promise<void> {
  const members = sites.all.map((site) => site.mesh.domains().map(({ peers }) => peers.length));
  await expect(joiner.mesh.join(name, address, token), code).rejects.toMatchObject({ code });
  expect(sites.all.map((site) => site.mesh.domains().map(({ peers }) => peers.length))).toEqual(members);
  if (joiner.mesh.domains().length === 0) expect(await joiner.disk.rows('k/')).toEqual([]);
}

describe('joining', () => {
  it('goes through any member, also while the founder is away', async () => {
    const [a, b] = await sites.domain('a', 'b');
    if (a === undefined || b === undefined) throw new Error();
    const token = await a.token({ uses: 2 });
    const c = await sites.start('c');
    await c.mesh.join('d', b.address(), token);
    await settled([a, b, c]);
    await a.stop();
    const d = await sites.start('x');
    await d.mesh.join('d', b.address(), token);
    expect(d.view().peers.map(({ displayName }) => displayName)).toEqual(['a', 'b', 'c', 'x']);
    const late = await sites.start('late');
    await expect(late.mesh.join('d', b.address(), token)).rejects.toMatchObject({ code: 'TOKEN_USED_UP' });
  });

  it('refuses what is wrong with the token, each in its own words', async () => {
    const a = await sites.start('a');
    await a.mesh.create('d');
    const other = await sites.start('other');
    await other.mesh.create('e');
    const token = await a.token();
    const joiner = await sites.start('j');
    await refused(joiner, a.address(), 'nonsense', 'TOKEN_MALFORMED');
    await refused(joiner, a.address(), token.slice(0, -20), 'TOKEN_MALFORMED');
    await refused(joiner, a.address(), await other.token({}, 'e'), 'TOKEN_WRONG_DOMAIN');
    await refused(joiner, other.address('e'), token, 'NOT_A_MEMBER');
    const revoked = await a.mesh.invite('d');
    await a.mesh.revokeInvite('d', revoked.id);
    await refused(joiner, a.address(), revoked.token ?? '', 'TOKEN_REVOKED');
    await joiner.mesh.join('d', a.address(), token);
    const second = await sites.start('k');
    await refused(second, a.address(), token, 'TOKEN_USED_UP');
    expect((await a.mesh.invites('d')).map(({ used, token: kept }) => ({ used, kept: kept !== undefined }))).toContainEqual({
      used: 1,
      kept: false,
    });
  });

  it('tells both clocks when the token has expired', async () => {
    let clock = Date.now();
    const a = await sites.start('a', { now: () => clock });
    await a.mesh.create('d');
    const token = await a.token({ expiresMs: 60_000 });
    clock += 120_000;
    const joiner = await sites.start('j');
    const error: unknown = await joiner.mesh.join('d', a.address(), token).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'TOKEN_EXPIRED' });
  });

  it('refuses what is wrong with the address', async () => {
    const a = await sites.start('a');
    await a.mesh.create('d');
    const b = await sites.start('b');
    await b.mesh.create('e');
    const token = await a.token();
    // Without the hints in the token, which would lead to the right place.
    await a.stop();
    const joiner = await sites.start('j');
    const free = await findFreePort([LOCAL], 0, new Set());
    await refused(joiner, 'http://x', token, 'ADDRESS_INVALID');
    await refused(joiner, `${LOCAL}:${free}`, token, 'ADDRESS_UNREACHABLE');
    await refused(joiner, 'no-such-host.invalid', token, 'ADDRESS_UNREACHABLE');
    const server = createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH\r\n')).listen(0, LOCAL);
    await once(server, 'listening');
    const bound = server.address();
    await refused(joiner, `${LOCAL}:${typeof bound === 'object' ? bound?.port : 0}`, token, 'NOT_DTKD');
    server.close();
    await refused(b, b.address('e'), token, 'OURSELVES');
  });

  it('uses the hints of the token when nobody is at the address', async () => {
    const a = await sites.start('a');
    await a.mesh.create('d');
    const joiner = await sites.start('j');
    const free = await findFreePort([LOCAL], 0, new Set());
    const told: object[] = [];
    const onElsewhere = (elsewhere: object) => void told.push(elsewhere);
    const view = await joiner.mesh.join('d', `${LOCAL}:${free}`, await a.token({ uses: 2 }), { onElsewhere });
    expect(view.state).toBe('Ready');
    expect(told).toEqual([{ address: a.address(), failure: expect.any(String) }]);
    const other = await sites.start('k');
    await other.mesh.join('d', a.address(), await a.token(), { onElsewhere });
    expect(told).toHaveLength(1);
  });

  it('refuses a name that is taken, and a name for two domains', async () => {
    const [a] = await sites.domain('a', 'b');
    if (a === undefined) throw new Error();
    const twin = await sites.start('b');
    await refused(twin, a.address(), await a.token(), 'NAME_TAKEN');
    await expect(a.mesh.create('d')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(a.mesh.create('No Good')).rejects.toMatchObject({ code: 'NAME_INVALID' });
  });

  it('is led from one domain of a node to the port of the other', async () => {
    const a = await sites.start('a');
    await a.mesh.create('d');
    await a.mesh.create('e');
    expect(a.view('d').port).not.toBe(a.view('e').port);
    const b = await sites.start('b');
    await b.mesh.join('e', a.address('d'), await a.token({}, 'e'));
    await settled([a, b], 'e');
    expect(b.mesh.domain('d')).toBeUndefined();
  });

  it('gives the first domain the configured port, and keeps the others theirs', async () => {
    const meshPort = await findFreePort([LOCAL], 0, new Set());
    let a = await sites.start('a', { meshPort });
    await a.mesh.create('d');
    await a.mesh.create('e');
    expect(a.view('d').port).toBe(meshPort);
    const other = a.view('e').port;
    expect(other).toBeGreaterThan(meshPort);
    a = await sites.restart(a, { meshPort });
    expect([a.view('d').port, a.view('e').port]).toEqual([meshPort, other]);
    const rival = await sites.start('rival', { meshPort });
    await expect(rival.mesh.create('f')).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    expect(await rival.disk.rows('k/')).toEqual([]);
  });

  it('keeps nothing of a domain whose port somebody else takes at the last moment, so that it can be made again', async () => {
    const meshPort = await findFreePort([LOCAL], 0, new Set());
    const a = await sites.start('a', { meshPort });
    await a.expose('app');
    const rival = createServer();
    a.disk.onBatch = (ops) => {
      if (ops.some((op) => op.type === 'put' && op.key.startsWith('k/')) && !rival.listening) rival.listen(meshPort, LOCAL);
    };
    await expect(a.mesh.create('d')).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    expect([...(await a.disk.rows('k/')), ...(await a.disk.rows('l/'))]).toEqual([]);
    a.disk.onBatch = () => {};
    rival.close();
    await once(rival, 'close');
    await a.mesh.create('d');
    expect(a.view().port).toBe(meshPort);
  });

  it('opens no port and keeps nothing in no domain', async () => {
    const a = await sites.start('a');
    expect(a.mesh.domains()).toEqual([]);
    expect(await a.disk.rows('k/')).toEqual([]);
    await expect(a.mesh.leave('d')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
