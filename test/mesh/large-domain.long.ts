/** A domain in which nobody is connected with everybody: reaching those that are no neighbours, and telling them from those that are away. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FULL_MESH_BELOW } from '../../daemon/src/mesh/domain/connection-choice.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { waitFor } from '../wait.ts';
import { collect } from './host/hosts.ts';
import { ECHO, type Site, Sites } from './sites.ts';

const MEMBERS = FULL_MESH_BELOW + 2;
/** Joins at a time. Most members should not live through the time when the domain was small, with a connection to everybody. */
const AT_ONCE = 16;
const FORMED_MS = 180_000;

describe(`a domain of ${MEMBERS} members`, () => {
  const sites = new Sites();
  let all: Site[] = [];

  beforeAll(async () => {
    const founder = await sites.start('n0');
    await founder.mesh.create('d');
    const token = await founder.token({ uses: 2 * MEMBERS });
    const rest: Site[] = [];
    for (let number = 1; number < MEMBERS; number += 1) rest.push(await sites.start(`n${number}`));
    all = [founder, ...rest];
    // All run in one process: on a busy machine a handshake may be given up, and nothing is kept of a join that failed.
    const join = (site: Site) =>
      waitFor(() => site.mesh.join('d', founder.address(), token), { what: `${site.name} to join`, timeoutMs: FORMED_MS });
    while (rest.length > 0) await Promise.all(rest.splice(0, AT_ONCE).map(join));
    await waitFor(() => all.every((site) => site.view().peers.length === MEMBERS), { what: 'all to know all', timeoutMs: FORMED_MS });
    await waitFor(() => all.every((site) => others(site).every(({ reach }) => reach !== 'away')), {
      what: 'nobody to be taken for away',
      timeoutMs: FORMED_MS,
    });
  }, 2 * FORMED_MS);
  afterAll(() => sites.stop(), FORMED_MS);

  const others = (site: Site) => site.view().peers.filter(({ self }) => !self);
  const last = (): Site => all.at(-1) ?? all[0] ?? fail();
  const opened = async (site: Site, peer: { key: Parameters<Site['mesh']['openStream']>[1] }): Promise<string> => {
    const stream = await site.mesh.openStream(site.view().id, peer.key, ECHO);
    stream.end('hello');
    return (await collect(stream)).toString();
  };

  it('lets a node open streams to every member, neighbour or not', async () => {
    const site = last();
    const before = others(site);
    expect(before.filter(({ reach }) => reach === 'idle').length).toBeGreaterThan(0);
    for (const peer of before) expect(peer.connected).toBe(peer.reach === 'connected');
    expect(await Promise.all(before.map((peer) => opened(site, peer)))).toEqual(before.map(() => 'hello'));
    expect(others(site).every(({ reach }) => reach === 'connected')).toBe(true);
  });

  it('tells a stopped member from one that is merely not connected', async () => {
    const watcher = all.at(-2) ?? fail();
    const idle = others(watcher).filter(({ reach }) => reach === 'idle');
    const gone = all.find((site) => site !== last() && idle.some(({ displayName }) => displayName === site.name)) ?? fail();
    const peer = watcher.peer(gone.name);
    await gone.stop();
    const refusals = await Promise.allSettled(Array.from({ length: 200 }, () => opened(watcher, peer)));
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ status: 'rejected', reason: expect.any(DtkdError) });
      expect(refusal).toMatchObject({ reason: { code: 'PEER_AWAY' } });
    }
    expect(watcher.peer(gone.name)).toMatchObject({ reach: 'away', connected: false });
    expect(watcher.peer(gone.name).since).toBeDefined();
    expect(others(watcher).filter(({ reach }) => reach === 'away')).toHaveLength(1);
    // Who was its neighbour, or was using it, knows without asking again.
    await waitFor(() => last().peer(gone.name).reach === 'away', { what: 'one that used it lately to find it away' });
    // And it is known to be back as soon as it is reached, without another request.
    const back = await sites.restart(gone);
    watcher.mesh.want(watcher.view().id, peer.key);
    await waitFor(() => watcher.peer(back.name).reach !== 'away', { what: 'the member to be back' });
    expect(await opened(watcher, peer)).toBe('hello');
  });
});

function fail(): never {
  throw new Error('there is no such member');
}
