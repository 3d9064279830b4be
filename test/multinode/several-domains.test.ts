import { beforeAll, describe, expect, it } from 'vitest';
import { appDocument, appsSeen, copyOf, formDomain, peers, publish } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });

describe('a node in two domains', () => {
  let east: Site;
  let both: Site;
  let west: Site;

  beforeAll(async () => {
    [east, both, west] = (await stage.current.startAll('east', 'both', 'west')) as [Site, Site, Site];
    await formDomain('sunrise', [both, east]);
    await formDomain('sunset', [west, both]);
  });

  it('has a key of its own in each, and a port of its own', async () => {
    const own = (await both.list('dtpeers')).filter((peer) => peer['path'] === 'self');
    const domains = await both.list('dtdomains');
    expect(domains.map((domain) => domain.metadata.name)).toEqual(['sunrise', 'sunset']);
    expect(new Set(domains.map((domain) => domain['domainId'])).size).toBe(2);
    expect(new Set(own.map((peer) => peer['publicKey'])).size).toBe(own.length);
    const status = (await both.call('/apis/dtkd.dev/v1/daemon/status')) as { mesh: { domain: string; port: number }[] };
    expect(new Set(status.mesh.map((each) => each.port)).size).toBe(2);
  });

  it('shows nothing of one domain in the other', async () => {
    await publish(east, 'of-the-east', 'sunrise');
    await publish(west, 'of-the-west', 'sunset');
    await waitFor(async () => (await appsSeen(both)).length === 2, { what: 'both apps at the node in both' });
    // Published after it, on the same way: when this is there, whatever would come has come.
    await publish(both, 'marker-west', 'sunset');
    await publish(both, 'marker-east', 'sunrise');
    await waitFor(async () => copyOf(west, 'marker-west', 'both'), { what: 'the marker in the west' });
    await waitFor(async () => copyOf(east, 'marker-east', 'both'), { what: 'the marker in the east' });
    expect(await appsSeen(west)).toEqual(['both/marker-west', 'west/of-the-west']);
    expect(await appsSeen(east)).toEqual(['both/marker-east', 'east/of-the-east']);
    expect((await peers(west, 'sunset')).map((peer) => String(peer['name']).split('.')[0])).not.toContain('east');
    expect((await east.list('dtdomains')).map((domain) => domain.metadata.name)).toEqual(['sunrise']);
  });

  it('shares one app into both, and tells neither of the other', async () => {
    await both.create(appDocument('shared', ['sunrise', 'sunset']));
    for (const [site, domain] of [
      [east, 'sunrise'],
      [west, 'sunset'],
    ] as const) {
      const copy = await waitFor(async () => copyOf(site, 'shared', 'both'), { what: `the shared app at ${site.name}` });
      expect(copy['domainSelector']).toEqual({ name: [domain] });
      expect(JSON.stringify(copy)).not.toContain(domain === 'sunrise' ? 'sunset' : 'sunrise');
    }
  });

  it('takes its apps along when it leaves one, and stays in the other', async () => {
    expect(await both.cli('domain', 'leave', 'sunset')).toMatchObject({ code: 0 });
    await waitFor(async () => (await appsSeen(west)).join() === 'west/of-the-west', { what: 'the west to drop what the leaver shared' });
    expect(await appsSeen(both)).not.toContain('west/of-the-west');
    expect(await appsSeen(east)).toContain('both/shared');
    expect((await both.list('dtdomains')).map((domain) => domain.metadata.name)).toEqual(['sunrise']);
  });
});
