import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LaneChannel } from '../../daemon/src/apps/channel/lane-channel.ts';
import { StreamChannel } from '../../daemon/src/apps/channel/stream-channel.ts';
import { createLaneIdentity, type LaneIdentity } from '../../daemon/src/apps/lane/certificate.ts';
import { laneContext } from '../../daemon/src/apps/lane/lane-tls.ts';
import { Tickets } from '../../daemon/src/apps/lane/tickets.ts';
import { readFrame } from '../../daemon/src/apps/tunnel/frames.ts';
import { parseDomainId, parsePeerKey } from '../../protocol/ids.ts';
import {
  checkTunnelAnswer,
  decodeLaneAnswer,
  encodeLaneRequest,
  encodeTunnelRequest,
  LANE_ALPN,
  LANE_PROTOCOL,
} from '../../protocol/peers/tunnel.ts';
import { waitFor } from '../wait.ts';
import { appsAt, exchange, message, portOf, type Site, Stage } from './site.ts';

describe('lane tickets', () => {
  const domain = parseDomainId('d'.repeat(64));
  const other = parseDomainId('e'.repeat(64));
  const from = { domain, peer: parsePeerKey('a'.repeat(64)) };
  const certificate = Buffer.alloc(32, 1);

  it('are good once, for ten seconds, for one certificate and domain', () => {
    let now = 0;
    const tickets = new Tickets(() => now);
    const ticket = tickets.issue(from, certificate);
    expect(tickets.redeem(ticket, certificate, domain)).toEqual(from);
    expect(tickets.redeem(ticket, certificate, domain)).toBeUndefined();
    expect(tickets.redeem(tickets.issue(from, certificate), Buffer.alloc(32, 2), domain)).toBeUndefined();
    expect(tickets.redeem(tickets.issue(from, certificate), Buffer.alloc(0), domain)).toBeUndefined();
    expect(tickets.redeem(tickets.issue(from, certificate), certificate, other)).toBeUndefined();
    const late = tickets.issue(from, certificate);
    expect(tickets.expected(domain)).toBe(true);
    expect(tickets.expected(other)).toBe(false);
    now = 10_000;
    expect(tickets.redeem(late, certificate, domain)).toBeUndefined();
    expect(tickets.expected(domain)).toBe(false);
  });

  it('are used up by a wrong try', () => {
    const tickets = new Tickets(() => 0);
    const ticket = tickets.issue(from, certificate);
    expect(tickets.redeem(ticket, Buffer.alloc(32, 2), domain)).toBeUndefined();
    expect(tickets.redeem(ticket, certificate, domain)).toBeUndefined();
  });

  it('are few', () => {
    const tickets = new Tickets(() => 0);
    for (let index = 0; index < 128; index += 1) tickets.issue(from, certificate);
    expect(() => tickets.issue(from, certificate)).toThrow(/too many/);
    expect(() => tickets.issue({ ...from, peer: parsePeerKey('b'.repeat(64)) }, certificate)).not.toThrow();
  });
});

describe('the fast lane', () => {
  let stage: Stage;
  let owner: Site;
  let caller: Site;
  let host: string;

  beforeEach(async () => {
    // Before anything takes hold of the clock.
    vi.useFakeTimers({ toFake: ['Date'] });
    stage = new Stage();
    owner = await stage.site('node0', ['d'], { lanes: true });
    caller = await stage.site('node1', ['d'], { lanes: true });
    const origin = await stage.origin((request, response) => {
      if (request.url === '/hang') response.write('begun');
      else response.end('hello');
    });
    host = (await stage.expose(owner, { ports: [origin] }))['node1'] ?? '';
  });
  afterEach(async () => {
    await stage.close();
    vi.useRealTimers();
  });

  const get = (path = '/') => exchange(caller.port, message(`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close'));

  async function grantFor(identity: LaneIdentity, name = 'd') {
    const domain = owner.mesh.domains().find((one) => one.name === name);
    if (domain === undefined) throw new Error('no domain');
    const channel = new StreamChannel(await caller.mesh.openStream(domain.id, domain.self, LANE_PROTOCOL));
    channel.write(encodeLaneRequest({ certificate: identity.hash }));
    return decodeLaneAnswer(await readFrame(channel, 60_000));
  }

  async function dial(identity: LaneIdentity): Promise<{ tls: TLSSocket; channel: LaneChannel }> {
    const raw = connectTcp(portOf(owner.mesh.server?.address()), '127.0.0.1');
    const tls = connectTls({ socket: raw, secureContext: laneContext(identity), rejectUnauthorized: false, ALPNProtocols: [LANE_ALPN] });
    raw.on('error', () => undefined);
    tls.on('error', () => undefined);
    stage.onClose(() => raw.destroy());
    await once(tls, 'secureConnect');
    return { tls, channel: new LaneChannel(tls, raw) };
  }

  async function tunnel(channel: LaneChannel, ticket: Uint8Array): Promise<void> {
    const uid = (await appsAt(owner))[0]?.metadata.uid ?? '';
    channel.write(ticket);
    channel.write(encodeTunnelRequest({ app: uid, name: 'app' }));
    checkTunnelAnswer(await readFrame(channel, 60_000));
  }

  it('is taken with a good ticket, once', async () => {
    const identity = createLaneIdentity();
    const grant = await grantFor(identity);
    await tunnel((await dial(identity)).channel, grant.ticket);
    // Another ticket is open: without one there would be no handshake at all.
    await grantFor(identity);
    await expect(tunnel((await dial(identity)).channel, grant.ticket)).rejects.toThrow();
    expect(owner.apps.counters()['lanesRefused']).toBe(1);
  });

  it('lets neither side give up the connection that it belongs to, for as long as it lasts', async () => {
    await expect(get()).resolves.toMatchObject({ aborted: false });
    expect(caller.apps.counters()['lanes']).toBe(1);
    for (const site of [owner, caller]) expect(site.mesh.held).toHaveLength(site.apps.counters()['lanes'] ?? -1);
    stage.network.cut('node0', 'node1', Date.now());
    await waitFor(() => owner.mesh.held.length + caller.mesh.held.length === 0, { what: 'the connection to be let go' });
  });

  it('is refused with another certificate, a guessed ticket, or none', async () => {
    const identity = createLaneIdentity();
    const grant = await grantFor(identity);
    await expect(tunnel((await dial(createLaneIdentity())).channel, grant.ticket)).rejects.toThrow();
    await grantFor(identity);
    await expect(tunnel((await dial(identity)).channel, Buffer.alloc(32))).rejects.toThrow();
    expect(owner.apps.counters()).toMatchObject({ lanesRefused: 2, lanes: 0 });
  });

  it('has another certificate in each domain', async () => {
    stage.network.join('node0', 'e');
    stage.network.join('node1', 'e');
    const identity = createLaneIdentity();
    const one = await grantFor(identity, 'd');
    const other = await grantFor(identity, 'e');
    expect(other.certificate).not.toEqual(one.certificate);
    expect((await grantFor(identity, 'd')).certificate).toEqual(one.certificate);
    const shown = createHash('sha256')
      .update((await dial(identity)).tls.getPeerX509Certificate()?.raw ?? '')
      .digest();
    expect(shown).toEqual(Buffer.from(one.certificate));
  });

  it('does not mind that the clock is set', async () => {
    const identity = createLaneIdentity();
    const grant = await grantFor(identity);
    vi.setSystemTime(Date.now() + 3_600_000);
    await tunnel((await dial(identity)).channel, grant.ticket);
  });

  it('gives strangers no handshake while no ticket is out', async () => {
    const raw = connectTcp(portOf(owner.mesh.server?.address()), '127.0.0.1');
    const tls = connectTls({ socket: raw, rejectUnauthorized: false });
    raw.on('error', () => undefined);
    tls.on('error', () => undefined);
    await new Promise((resolve) => tls.once('close', resolve));
    expect(owner.apps.counters()['lanesRefused']).toBe(1);
  });

  it('gives way to the stream where it cannot be dialled, or somebody else answers there, and is left alone for a while', async () => {
    const impostor = await stage.tcpOrigin((socket) => socket.end('not TLS'));
    for (const port of [1, impostor]) {
      owner.mesh.addresses = [{ host: '127.0.0.1', port }];
      expect((await get()).text).toContain('hello');
    }
    expect(caller.apps.counters()).toMatchObject({ lanesOpened: 0, lanesFailed: 1 });
    expect(stage.network.opened.filter((protocol) => protocol === LANE_PROTOCOL)).toHaveLength(1);
  });

  it('closes with the connection to its member', async () => {
    const hanging = get('/hang');
    await waitFor(() => caller.apps.counters()['lanes'] === 1 && owner.apps.counters()['lanes'] === 1, { what: 'the lane' });
    stage.network.cut('node0', 'node1', Date.now());
    await hanging;
    await waitFor(() => caller.apps.counters()['lanes'] === 0 && owner.apps.counters()['lanes'] === 0, { what: 'the lane to close' });
  });

  it('closes when its member is removed', async () => {
    const hanging = get('/hang');
    await waitFor(() => owner.apps.counters()['lanes'] === 1, { what: 'the lane' });
    stage.network.remove('node1', 'd');
    await hanging;
    await waitFor(() => owner.apps.counters()['lanes'] === 0, { what: 'the lane to close' });
  });
});
