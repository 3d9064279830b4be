import { beforeAll, describe, expect, it } from 'vitest';
import { copyOf, expose, found, invite, join, peerNamed, uriOf } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();
/** The first size at which nobody is connected with everybody is 32. */
const MEMBERS = 34;
/** Daemons that start, or join, at the same time: two cores are kept busy by two. */
const AT_ONCE = 2;

/** The domain's others, as a site sees them. */
async function reachOf(site: Site, other: Site): Promise<unknown> {
  return (await peerNamed(site, 'large', other.name))?.['reach'];
}

describe(`apps in a domain of ${MEMBERS} daemons`, () => {
  let sites: Site[];
  let user: Site;
  let idle: Site[];

  beforeAll(async () => {
    const names = Array.from({ length: MEMBERS }, (_, index) => `n${index}`);
    sites = [];
    while (names.length > 0) sites.push(...(await stage.current.startAll(...names.splice(0, AT_ONCE))));
    const [founder, ...rest] = sites as [Site, ...Site[]];
    await found(founder, 'large');
    const { token } = await invite(founder, 'large', { uses: MEMBERS });
    while (rest.length > 0) await Promise.all(rest.splice(0, AT_ONCE).map((site) => join(site, 'large', founder, token)));
    user = sites.at(-1) as Site;
    await waitFor(async () => (await user.list('dtpeers')).length === MEMBERS, { what: 'all members to be known' });
    const standings = await Promise.all(sites.map(async (site) => ({ site, reach: await reachOf(user, site) })));
    idle = standings.filter(({ reach }) => reach === 'idle').map(({ site }) => site);
  });

  it('are reached though their owners are not connected, and nobody is taken for away', async () => {
    const owner = idle[0] as Site;
    await expose(owner, 'web', await stage.current.origin({ name: 'web' }), 'large');
    const uri = await uriOf(user, 'web', owner);
    expect(await reachOf(user, owner)).toBe('idle');
    expect(await user.fetchUri(uri)).toMatchObject({ status: 200, body: 'hello from web\n' });
    await waitFor(async () => (await reachOf(user, owner)) === 'connected', { what: 'the connection to be shown' });
    expect((await user.list('dtpeers')).filter(({ reach }) => reach === 'away')).toEqual([]);
  });

  it('are answered for with 503 and the name of an owner that has died', async () => {
    const owner = idle[1] as Site;
    await expose(owner, 'shop', await stage.current.origin({ name: 'shop' }), 'large');
    const uri = await uriOf(user, 'shop', owner);
    await owner.kill9();
    expect((await copyOf(user, 'shop', owner.name))?.['status']).toBe('Ready');
    const answer = await user.fetchUri(uri);
    expect(answer.status).toBe(503);
    expect(answer.body).toContain(`${owner.name}, which owns the app "shop", is away`);
    await waitFor(async () => (await copyOf(user, 'shop', owner.name))?.['status'] === 'OwnerAway', { what: 'the copy to say so' });
    await owner.start();
    await waitFor(async () => (await user.fetchUri(uri)).status === 200, { what: 'the owner to be reached again' });
  });
});
