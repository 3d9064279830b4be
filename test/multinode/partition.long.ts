import { describe, expect, it } from 'vitest';
import { appsSeen, connected, expose, formDomain, found, invite, join, peerNamed, publish, uriOf } from '../harness/domain.ts';
import { type Network, networkMissing } from '../harness/network.ts';
import type { Site, SiteOptions } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();
const why = networkMissing();
/** The promise to operators: so soon after healing every node shows the same. */
const CONVERGED_MS = 5_000;
/** Or in so many times of what it takes here until all show a new app: a machine may be slow. */
const CONVERGED_TIMES = 20;
/** A peer whose wire was cut says nothing; noticing takes a missed heartbeat or two. */
const NOTICED_MS = 180_000;

async function startIn(network: Network, name: string, options: Partial<SiteOptions> = {}): Promise<Site> {
  return stage.current.start({ name, inside: network.inside(name), ...options });
}

async function sameEverywhere(sites: readonly Site[], apps: readonly string[], timeoutMs?: number): Promise<void> {
  const wanted = JSON.stringify([...apps].sort());
  await Promise.all(
    sites.map((site) =>
      waitFor(async () => JSON.stringify(await appsSeen(site)) === wanted, {
        what: `${site.name} to show ${wanted}`,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    ),
  );
}

describe.skipIf(why !== undefined)(`sites in network namespaces${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  it('keep working on both sides of a cut, and agree soon after it heals', async () => {
    const network = await stage.current.network({ segments: { left: ['a', 'b'], right: ['c', 'd'] }, cables: [['left', 'right']] });
    const sites = await Promise.all(['a', 'b', 'c', 'd'].map((name) => startIn(network, name)));
    const [a, b, c, d] = sites as [Site, Site, Site, Site];
    await formDomain('halves', sites);
    const began = performance.now();
    await publish(a, 'before', 'halves');
    await sameEverywhere(sites, ['a/before']);
    const convergedMs = Math.max(CONVERGED_MS, CONVERGED_TIMES * (performance.now() - began));

    await network.cut('left', 'right');
    await Promise.all(sites.map((site) => publish(site, 'during', 'halves')));
    await a.delete('dtapp', 'before');
    await sameEverywhere([a, b], ['a/during', 'b/during']);
    await sameEverywhere([c, d], ['a/before', 'c/during', 'd/during']);
    for (const [one, other] of [
      [a, c],
      [d, b],
    ] as const) {
      await waitFor(async () => (await peerNamed(one, 'halves', other.name))?.['connected'] === false, {
        what: `${one.name} to miss ${other.name}`,
        timeoutMs: NOTICED_MS,
      });
    }

    await network.heal('left', 'right');
    await sameEverywhere(sites, ['a/during', 'b/during', 'c/during', 'd/during'], convergedMs);
  });

  it('meet by way of a member that both can reach, and notice when it is gone', async () => {
    const network = await stage.current.network({ segments: { west: ['a', 'b'], east: ['b', 'c'] } });
    const [a, b, c] = await Promise.all([startIn(network, 'a'), startIn(network, 'b', { mesh: '7701' }), startIn(network, 'c')]);
    await found(a, 'chain');
    await join(b, 'chain', network.address('a'), (await invite(a, 'chain')).token);
    await join(c, 'chain', network.address('b', 'east'), (await invite(a, 'chain')).token);
    await Promise.all([a, b, c].map((site) => connected(site, 'chain', [a, b, c])));
    expect((await peerNamed(c, 'chain', 'a'))?.['path']).toBe('relayed');
    expect((await peerNamed(c, 'chain', 'b'))?.['path']).toBe('direct');

    const origin = await stage.current.origin({ name: 'west-only', netns: network.inside('a').netns });
    await expose(a, 'far', origin, 'chain');
    const uri = await uriOf(c, 'far', a);
    expect(await c.fetchUri(uri)).toMatchObject({ status: 200, body: 'hello from west-only\n' });
    const download = await c.fetchUri(uri, { path: '/bytes?n=3000000' });
    expect(download.body).toHaveLength(3_000_000);

    await b.stop();
    await waitFor(async () => (await c.fetchUri(uri)).status === 503, { what: 'c to say that the owner is away' });
    await b.start();
    await waitFor(async () => (await c.fetchUri(uri)).status === 200, { what: 'the way through b to be back' });
  });

  it('find each other on the local network after their addresses have changed', async () => {
    const network = await stage.current.network({ segments: { lan: ['a', 'b'] } });
    const [a, b] = await Promise.all(['a', 'b'].map((name) => startIn(network, name, { mdns: true })));
    if (a === undefined || b === undefined) throw new Error('two sites');
    await formDomain('lan', [a, b]);
    await Promise.all([a.stop(), b.stop()]);
    await network.readdress('a', 'lan', 201);
    await network.readdress('b', 'lan', 202);
    const moved = await Promise.all(
      ['a', 'b'].map((name, index) => stage.current.start({ ...[a, b][index]?.options, name, inside: network.inside(name), mdns: true })),
    );
    await Promise.all(moved.map((site) => connected(site, 'lan', moved)));
  });
});
