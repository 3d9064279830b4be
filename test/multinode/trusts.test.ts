import { beforeAll, describe, expect, it } from 'vitest';
import { connected, formDomain } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant, known, modelDocument, resourceDocument, revoke, type SiteUser, share } from '../harness/user.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const DOMAIN = 'labs';
const TRUST = 'research@node0';
const RESOURCES = { kind: 'resources.dtkd.dev' };

describe('a trust', () => {
  let node0: Site;
  let node1: Site;
  let node2: Site;
  let ann: SiteUser;
  let bob: SiteUser;
  let eve: SiteUser;
  let dan: SiteUser;

  beforeAll(async () => {
    [node0, node1, node2] = (await stage.current.startAll('node0', 'node1', 'node2')) as [Site, Site, Site];
    const sites = [node0, node1, node2];
    await formDomain(DOMAIN, sites);
    [ann, bob, eve, dan] = await Promise.all([addUser(node1, 'ann'), addUser(node2, 'bob'), addUser(node1, 'eve'), addUser(node0, 'dan')]);
    for (const site of sites) {
      await site.create(modelDocument('lab'));
      for (const tier of ['open', 'closed'])
        await site.create(resourceDocument(`${tier}-${site.name}`, { model: 'lab', type: 'Service' }, { tier }));
    }
    await Promise.all([ann, bob, eve].map((user) => known(node0, 'user', user.display)));
  });

  /** Which of the labelled resources of `node` the user reads. */
  async function readable(user: SiteUser, node: Site): Promise<string[]> {
    const { items } = await user.list('resource', { namespace: node.name });
    return items.map(({ metadata }) => metadata.name);
  }

  async function becomes(user: SiteUser, node: Site, names: readonly string[]): Promise<void> {
    await waitFor(async () => (await readable(user, node)).join() === names.join(), {
      what: `${user.display} to see ${names.join(', ') || 'nothing'} of ${node.name}`,
    });
  }

  it('is made with members of several nodes, and known on all', async () => {
    const made = await node0.cli('trust', 'create', 'research', '--description', 'the two labs', '--member', ann.display);
    expect(made).toMatchObject({ code: 0 });
    expect(await node0.cli('trust', 'add-member', 'research', bob.display, dan.display)).toMatchObject({ code: 0 });
    for (const site of [node1, node2]) {
      const replica = await waitFor(
        async () => {
          const trust = await known(site, 'trust', TRUST);
          return JSON.stringify(trust).includes('dan@node0') ? trust : undefined;
        },
        { what: `${site.name} to know all members` },
      );
      expect(replica['members']).toMatchObject(['ann@node1', 'bob@node2', 'dan@node0'].map((display) => ({ display })));
    }
  });

  it('gives nothing by itself', async () => {
    for (const user of [ann, bob, dan]) for (const node of [node0, node2]) expect(await readable(user, node)).toEqual([]);
  });

  it('gives what owners share into it to all members and nobody else', async () => {
    await share(node0, TRUST, ['READ'], { ...RESOURCES, labelSelector: 'tier=open' });
    const line = ['trust', 'share', TRUST, 'resource', 'READ,UPDATE', '-l', 'tier=open'];
    expect(await node2.cli(...line)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Shared into /) });
    expect(await node2.cli(...line)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^That is shared already into /) });
    for (const node of [node0, node2]) {
      for (const user of [ann, bob, dan]) await becomes(user, node, [`open-${node.name}`]);
      expect(await readable(eve, node)).toEqual([]);
    }
    expect(await readable(ann, node1)).toEqual([]);
    const { rows } = await ann.list('resource', { all: true });
    expect(rows).toEqual(['node0/open-node0', 'node2/open-node2']);
  });

  it('gives the verbs that the owner said and no others', async () => {
    const change = { method: 'PATCH', contentType: 'application/merge-patch+json', body: { spec: { description: 'seen by ann' } } };
    const at = (node: Site) => node1.path('resource', `open-${node.name}`, { namespace: node.name });
    expect((await ann.api(at(node2), change)).status).toBe(200);
    expect(await node2.get('resource', 'open-node2')).toMatchObject({ spec: { description: 'seen by ann' } });
    expect((await ann.api(at(node0), change)).status).toBe(403);
    expect((await ann.api(at(node2), { method: 'DELETE' })).status).toBe(403);
    expect((await eve.api(at(node2), change)).status).toBe(404);
  });

  it('serves as a group: a capability may name it', async () => {
    const capability = await grant(node1, `trust:${TRUST}`, ['READ'], { ...RESOURCES, name: 'closed-node1' });
    for (const user of [bob, dan]) await becomes(user, node1, ['closed-node1']);
    expect(await readable(eve, node1)).toEqual([]);
    await revoke(node1, capability);
    for (const user of [bob, dan]) await becomes(user, node1, []);
  });

  it('gives the same while the node that keeps it is away', async () => {
    await node0.stop();
    expect(await readable(ann, node2)).toEqual(['open-node2']);
    expect(await readable(bob, node2)).toEqual(['open-node2']);
    expect(await readable(eve, node2)).toEqual([]);
    // Not only what was remembered: an owner that starts meanwhile knows the members, too.
    await node2.restart();
    await connected(node1, DOMAIN, [node2]);
    await becomes(ann, node2, ['open-node2']);
    expect(await readable(eve, node2)).toEqual([]);
    await node0.start();
    await connected(node0, DOMAIN, [node1, node2]);
  });

  it('gives nothing to who is no member any more, and keeps the others', async () => {
    expect(await node0.cli('trust', 'remove-member', 'research', ann.display)).toMatchObject({ code: 0 });
    await becomes(ann, node0, []);
    await becomes(ann, node2, []);
    await becomes(bob, node0, ['open-node0']);
    await becomes(bob, node2, ['open-node2']);
  });

  it('is nothing that a member may change', async () => {
    const body = { spec: { members: ['ann@node1', 'bob@node2', 'eve@node1'] } };
    const change = { method: 'PATCH', contentType: 'application/merge-patch+json', body };
    const answer = await bob.api(node2.path('trust', 'research', { namespace: 'node0' }), change);
    expect([403, 404]).toContain(answer.status);
    expect((await dan.api(node0.path('trust', 'research'), change)).status).toBe(403);
    const elsewhere = await bob.cli('trust', 'add-member', TRUST, 'eve@node1');
    expect(elsewhere.code).not.toBe(0);
    expect(elsewhere.stderr).toContain('Run this on node0');
    // Nor does another node become its keeper by saying so.
    await node1.create({ apiVersion: 'dtkd.dev/v1', kind: 'Trust', metadata: { name: 'research' }, spec: { members: ['eve@node1'] } });
    await known(node2, 'trust', 'research@node1');
    expect(await readable(eve, node2)).toEqual([]);
  });

  it('gives nothing once it is gone, also if it is made again', async () => {
    expect(await node0.cli('trust', 'rm', 'research')).toMatchObject({ code: 0 });
    await becomes(bob, node0, []);
    await becomes(bob, node2, []);
    expect(await node0.cli('trust', 'create', 'research', '--member', bob.display)).toMatchObject({ code: 0 });
    await waitFor(async () => (await known(node2, 'trust', TRUST)) !== undefined, { what: 'the new trust at node2' });
    expect(await readable(bob, node0)).toEqual([]);
    expect(await readable(bob, node2)).toEqual([]);
  });
});
