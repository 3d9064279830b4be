/** Lines that are slow, lose much or only what is large: what works over them, and what users are told. */
import { describe, expect, it } from 'vitest';
import { appDocument, appsSeen, connected, found, invite, join } from '../harness/domain.ts';
import { type Network, networkMissing } from '../harness/network.ts';
import { missing } from '../harness/programs.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();
const why = networkMissing() ?? missing(['tc', 'iptables'], { root: true });

describe.skipIf(why !== undefined)(`sites with bad lines${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  it('share much over a slow line, on one connection', async () => {
    const network = await stage.current.network({ segments: { line: ['a', 'b'] } });
    const [a, b] = await startAll(network, 'a', 'b');
    await found(a, 'slow');
    for (let index = 0; index < 25; index += 1) await a.create(large(`app${index}`, 'slow'));
    const slow = ['rate', '256kbit', 'burst', '16kb', 'limit', '256kb'];
    await network.run('a', 'tc', 'qdisc', 'add', 'dev', network.interfaceOf('a', 'line'), 'root', 'tbf', ...slow);
    await join(b, 'slow', a, (await invite(a, 'slow')).token);
    await connected(a, 'slow', [a, b]);
    const since = await connectedSince(a);
    await waitFor(async () => (await appsSeen(b)).length === 25, { what: 'b to show all that a shares' });
    expect(await connectedSince(a)).toBe(since);
  });

  async function startAll(network: Network, ...names: string[]): Promise<[Site, Site]> {
    const sites = await Promise.all(names.map((name) => stage.current.start({ name, inside: network.inside(name) })));
    return sites as [Site, Site];
  }
});

function large(name: string, domain: string): Record<string, unknown> {
  return { ...appDocument(name, [domain]), metadata: { name, annotations: { padding: 'x'.repeat(15_000) } } };
}

/** When the only other member was connected. */
async function connectedSince(site: Site): Promise<unknown> {
  return (await site.list('dtpeers')).find((peer) => peer['path'] === 'direct')?.['since'];
}
