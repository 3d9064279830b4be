import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuthorDoc } from '../../daemon/src/mesh/log/author-doc.ts';
import { SIGHTLINE_GROUP } from '../../protocol/kinds/dtdomain.ts';
import { pointText } from '../../protocol/log/log-entry.ts';
import { parseToken } from '../../protocol/membership/token.ts';
import { HostilePeer } from '../multinode/hostile/hostile-peer.ts';
import { waitFor } from '../wait.ts';
import { publishedApp } from './log/node.ts';
import { type Site, Sites, settled } from './sites.ts';

let sites: Sites;
let peers: HostilePeer[];
beforeEach(() => {
  sites = new Sites();
  peers = [];
});
afterEach(async () => {
  await Promise.all(peers.map((peer) => peer.stop()));
  await sites.stop();
});

async function mallory(through: Site, name = 'mallory'): Promise<HostilePeer> {
  const peer = await HostilePeer.join(await through.token(), through.address(), name);
  peers.push(peer);
  return peer;
}

describe('addresses told in hello', () => {
  it('may be DNS names', async () => {
    const a = await sites.start('a');
    await a.mesh.create('d');
    const b = await sites.start('b', { announce: ['b.invalid:7701'] });
    await b.mesh.join('d', a.address(), await a.token());
    await settled([a, b]);
    expect(a.mesh.counters()['hellosRefused']).toBe(0);
    expect(b.mesh.counters()['hellosRefused']).toBe(0);
  });

  it('that somebody else tells of a member do not keep it out', async () => {
    const [a, b] = (await sites.domain('a', 'b')) as [Site, Site];
    const key = b.view().self;
    await b.stop();
    const peer = await mallory(a);
    const addresses = ['b.invalid:1', 'fe80::1%lo', 'localhost', '[::1]:9', '\u0000'];
    await peer.connect(a.address(), { peers: [{ key, addresses: addresses.slice(0, 4) }], addresses, observed: 'evil.invalid' });
    const back = await sites.restart(b);
    await waitFor(() => back.peer('a').connected && a.peer('b').connected, { what: 'the member to be back' });
    expect(a.mesh.counters()['hellosRefused']).toBe(0);
  });
});

it('a member has a few connections and no more', async () => {
  const [a] = (await sites.domain('a')) as [Site];
  const peer = await mallory(a);
  for (let index = 0; index < 12; index += 1) await peer.connect(a.address()).catch(() => undefined);
  await waitFor(() => peer.connections() <= 4, { what: 'the surplus to be cut' });
  expect(a.peer('mallory').connected).toBe(true);
});

it('the address at which a node is seen must be one', async () => {
  const [a] = (await sites.domain('a')) as [Site];
  const peer = await mallory(a);
  await peer.connect(a.address(), { observed: 'evil.invalid' });
  await waitFor(() => a.view().peers.length === 2 && a.peer('mallory').connected, { what: 'the liar to be connected' });
  expect((await a.mesh.invite('d')).token).toBeDefined();
  expect(parseToken(await a.token()).hints).toEqual([a.address()]);
});

it('what one member learns reaches the others within seconds, though it was never gossiped', async () => {
  const [a, b] = (await sites.domain('a', 'b')) as [Site, Site];
  const peer = await mallory(a);
  const epoch = { ms: Date.now(), random: '0'.repeat(16) };
  const published = { ...publishedApp('pulled'), spec: { serviceSelector: { name: 'web' }, domainSelector: { name: ['d'] } } };
  const own = { b: pointText({ epoch, seq: 0 }), o: published };
  peer.entries = [peer.sign({ epoch, update: new AuthorDoc(epoch).write(new Map([[`${SIGHTLINE_GROUP}/dtapps/pulled`, own]])) }).bytes];
  // a asks for the entry, and b, which has no connection with its author, hears nothing of it.
  await peer.connect(a.address());
  for (const site of [a, b]) {
    await waitFor(async () => (await site.apps()).includes('mallory/pulled'), { what: `the entry at ${site.name}` });
  }
});
