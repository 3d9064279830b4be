import { beforeAll, describe, expect, it } from 'vitest';
import { appsSeen, connected, copyOf, expose, formDomain, peerNamed, publish, uriOf } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const DOMAIN = 'club';
/** The promise to operators: so soon has every connected member cut the removed node off. */
const CUT_OFF_MS = 2_000;
/** Or in so many times of what it takes here until one shows a new app of another: a machine may be slow. */
const CUT_OFF_TIMES = 20;

describe('a removed member', () => {
  let founder: Site;
  let member: Site;
  let absent: Site;
  let removed: Site;
  let uriAtRemoved: string;
  let uriAtMember: string;
  let removedId: string;
  let cutOffMs: number;

  beforeAll(async () => {
    const sites = (await stage.current.startAll('founder', 'member', 'absent', 'removed')) as [Site, Site, Site, Site];
    [founder, member, absent, removed] = sites;
    await formDomain(DOMAIN, sites);
    const origin = await stage.current.origin();
    await expose(founder, 'ours', origin, DOMAIN);
    await expose(removed, 'theirs', origin, DOMAIN);
    uriAtRemoved = await uriOf(removed, 'ours', founder);
    uriAtMember = await uriOf(member, 'theirs', removed);
    await uriOf(absent, 'theirs', removed);
    for (const site of [member, absent]) {
      const trusted = async () => (await site.cli('policy', 'trust', 'removed')).code === 0;
      await waitFor(trusted, { what: `${site.name} to trust its code` });
    }
    const began = performance.now();
    await publish(founder, 'pace', DOMAIN);
    await waitFor(() => copyOf(member, 'pace', 'founder'), { what: 'an app to show' });
    cutOffMs = Math.max(CUT_OFF_MS, CUT_OFF_TIMES * (performance.now() - began));
    await absent.stop();
    removedId = String((await waitFor(() => peerNamed(founder, DOMAIN, 'removed'), { what: 'its dtPeer' })).metadata.name);
  });

  const trustOf = async (at: Site): Promise<unknown> => (await at.get('policy', 'node'))?.['spec'];

  async function isOut(at: Site): Promise<void> {
    await waitFor(async () => (await at.get('dtpeer', removedId)) === undefined && !(await appsSeen(at)).includes('removed/theirs'), {
      what: `${at.name} to have cut the removed member off`,
      timeoutMs: cutOffMs,
    });
    if (at === founder) return;
    await waitFor(async () => JSON.stringify(await trustOf(at)) === '{"trust":[]}', { what: `${at.name} to trust its code no more` });
  }

  it('can be removed by the founder only, and the refusal says so', async () => {
    const refused = await member.cli('delete', 'dtpeer', removedId);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('founder');
    expect(await trustOf(member)).toMatchObject({ trust: [{ node: 'removed' }] });
    expect(await appsSeen(member)).toContain('removed/theirs');
  });

  it('is cut off by every connected member at once', async () => {
    expect(await founder.cli('delete', 'dtpeer', removedId)).toMatchObject({ code: 0 });
    await Promise.all([isOut(founder), isOut(member)]);
    await waitFor(async () => (await removed.fetchUri(uriAtRemoved)).status !== 200, {
      what: 'the removed node to lose the app',
      timeoutMs: cutOffMs,
    });
    expect(await member.fetchUri(uriAtMember)).toMatchObject({ status: 404 });
  });

  it('does not come back by restarting, also while the founder is away', async () => {
    await founder.stop();
    await Promise.all([removed.restart(), member.restart()]);
    await isOut(member);
    expect((await removed.fetchUri(uriAtRemoved)).status).not.toBe(200);
  });

  it('is dropped by a member that was away when it was removed', async () => {
    await absent.start();
    await connected(absent, DOMAIN, [member]);
    await isOut(absent);
  });

  it('stays out after everybody has restarted', async () => {
    await Promise.all([member, absent, removed].map((site) => site.kill9()));
    const all = [founder, member, absent, removed];
    await Promise.all(all.map((site) => site.start()));
    const members = [founder, member, absent];
    await Promise.all(members.map((site) => connected(site, DOMAIN, members)));
    for (const site of members) await isOut(site);
    expect((await removed.fetchUri(uriAtRemoved)).status).not.toBe(200);
    const domain = await removed.get('dtdomain', DOMAIN);
    expect(domain?.['status']).not.toBe('Ready');
  });
});
