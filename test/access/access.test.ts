import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CREATOR_ANNOTATION, type Principal } from '../../protocol/rights/principal.ts';
import { memoryKv } from '../store/memory-kv.ts';
import { waitFor } from '../wait.ts';
import { KEY1, KEY2, NODE, OPERATOR, OPERATOR_TOKEN, remote, SELF_KEY, type Site, startSite } from './site.ts';

const front = { spec: { model: 'web', type: 'Service' } };
const RESOURCES = { kind: 'resources.dtkd.dev' };

let site: Site;
beforeEach(async () => {
  site = await startSite();
});
afterEach(() => site.close());

describe('capabilities', () => {
  it('count from the moment that they are written, for whom they name, until they are deleted', async () => {
    await site.replica(KEY1, 'node1', 'users', 'ops');
    await site.create(OPERATOR, 'resources', 'front1', front, { labels: { tier: 'front' } });
    const ops = remote(site, 'ops');
    expect(await site.can(ops, 'READ', 'resources/front1')).toBe(false);
    await site.grant('ops@node1', 'READ,EXECUTE', { ...RESOURCES, model: 'web', labelSelector: 'tier=front' }, { name: 'c-1' });
    expect(await site.can(ops, 'EXECUTE', 'resources/front1')).toBe(true);
    expect(await site.can(ops, 'UPDATE', 'resources/front1')).toBe(false);
    expect(await site.can(remote(site, 'ops', KEY2), 'READ', 'resources/front1')).toBe(false);
    expect(await site.can(remote(site, 'ops', KEY1, 'another'), 'READ', 'resources/front1')).toBe(false);
    await site.remove(OPERATOR, 'capabilities', 'c-1');
    expect(await site.can(ops, 'READ', 'resources/front1')).toBe(false);
  });

  it('end by the clock, and it is told', async () => {
    const dev = await site.user('dev');
    await site.create(OPERATOR, 'resources', 'front1', front);
    site.time.now = Date.now();
    await site.grant('dev@node0', 'READ', RESOURCES, { expires: new Date(site.time.now + 40).toISOString() });
    let told = 0;
    site.access.onChange(() => {
      told += 1;
    });
    expect(await site.can(dev, 'READ', 'resources/front1')).toBe(true);
    site.time.now += 40;
    expect(await site.can(dev, 'READ', 'resources/front1')).toBe(false);
    await waitFor(() => told > 0, { what: 'the end of a capability' });
  });

  it('end by the clock, and it is told before anything shows less', async () => {
    const dev = await site.user('dev');
    const object = await site.create(OPERATOR, 'resources', 'front1', front);
    await site.grant('dev@node0', 'READ', RESOURCES, { expires: new Date(site.time.now + 3_600_000).toISOString() });
    const view = site.access.view(dev, 'dtkd.dev', 'resources');
    if (typeof view !== 'function') throw new Error('no view');
    let told = 0;
    site.access.onChange(() => {
      told += 1;
    });
    expect([view(object), told]).toEqual(['full', 0]);
    // while the machine slept: its timers know nothing of it
    site.time.now += 3_600_000;
    expect([view(object), told]).toEqual(['hidden', 1]);
  });

  it('of other nodes authorise nothing here, nor do shares', async () => {
    await site.replica(KEY1, 'node1', 'users', 'eve');
    await site.create(OPERATOR, 'resources', 'front1', front);
    const subject = { home: KEY1, name: 'eve', uid: 'uid-eve' };
    const spec = { to: 'eve@node1', verbs: ['READ'], on: { kind: '*' } };
    await site.replica(KEY1, 'node1', 'capabilities', 'c-1', { spec, subject: { ...subject, kind: 'User' } });
    await site.replica(KEY1, 'node1', 'trusts', 'mine', { members: [{ ...subject, home: 'self', membership: 'm', display: 'eve' }] });
    await site.replica(KEY1, 'node1', 'shares', 's-1', {
      spec: { ...spec, trust: 'mine@node1' },
      subject: { home: KEY1, name: 'mine', uid: 'uid-mine' },
    });
    expect(await site.can(remote(site, 'eve'), 'DISCOVER', 'resources/front1')).toBe(false);
  });

  it('give nothing to users of a node that is suspended, removed, or whose domain was left', async () => {
    await site.replica(KEY1, 'node1', 'users', 'ops');
    await site.create(OPERATOR, 'resources', 'front1', front);
    await site.grant('ops@node1', 'READ', RESOURCES);
    const ops = remote(site, 'ops');
    const member = site.mesh.peers[0];
    if (member === undefined) throw new Error('no member');
    member.suspended = true;
    site.mesh.changed();
    expect(await site.can(ops, 'READ', 'resources/front1')).toBe(false);
    member.suspended = false;
    site.mesh.changed();
    expect(await site.can(ops, 'READ', 'resources/front1')).toBe(true);
    site.mesh.peers = [];
    site.mesh.changed();
    expect(await site.can(ops, 'READ', 'resources/front1')).toBe(false);
  });

  it('are found by users, kinds and names without looking at the others', async () => {
    await site.store.transact(async (tx) => {
      for (let index = 0; index < 2_000; index++) {
        await tx.put({
          apiVersion: 'dtkd.dev/v1',
          kind: 'Capability',
          metadata: { name: `c-${index}`, namespace: NODE, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
          spec: { to: 'x@node1', verbs: ['READ'], on: { ...RESOURCES, name: `r${index}` } },
          subject: { kind: 'User', home: KEY1, name: 'x', uid: 'uid-x' },
        });
      }
    });
    const x = remote(site, 'x');
    expect(await site.can(x, 'READ', 'resources/r1999')).toBe(true);
    expect(await site.can(x, 'READ', 'resources/r2000')).toBe(false);
    expect(await site.can(x, 'UPDATE', 'resources/r7')).toBe(false);
  });
});

describe('reasons', () => {
  it('say what somebody has, and what a right rests on', async () => {
    const ops = await site.user('ops');
    const object = await site.create(OPERATOR, 'resources', 'front1', front);
    const about = { group: 'dtkd.dev', plural: 'resources', name: 'front1', object };
    expect(site.access.decide(ops, { ...about, verb: 'UPDATE' })).toEqual({
      allowed: false,
      reason: 'ops@node0 may not UPDATE resources "front1": it has no rights on it',
    });
    await site.grant('ops@node0', 'READ,EXECUTE', RESOURCES, { name: 'c-1' });
    expect(site.access.decide(ops, { ...about, verb: 'UPDATE' })).toEqual({
      allowed: false,
      reason: 'ops@node0 may not UPDATE resources "front1": it has READ and EXECUTE only',
    });
    expect(site.access.decide(ops, { ...about, verb: 'READ' })).toEqual({ allowed: true, because: 'capability c-1' });
    expect(site.access.decide(OPERATOR, { ...about, verb: 'READ' })).toEqual({ allowed: true, because: 'the operator of this node' });
  });
});

describe('creators', () => {
  it('have every right on what they made but to make it, and nobody by an annotation on a name', async () => {
    const ops = await site.user('ops');
    const dev = await site.user('dev');
    await site.grant('ops@node0', 'CREATE', RESOURCES, { name: 'c-1' });
    const object = await site.create(ops, 'resources', 'mine', front);
    for (const verb of ['READ', 'UPDATE', 'DELETE', 'MANAGE', 'EXECUTE', 'DISCOVER'] as const) {
      expect(await site.can(ops, verb, 'resources/mine')).toBe(true);
    }
    expect(await site.can(dev, 'DISCOVER', 'resources/mine')).toBe(false);
    await site.remove(OPERATOR, 'capabilities', 'c-1');
    expect(await site.can(ops, 'READ', 'resources/mine')).toBe(true);
    expect(await site.can(ops, 'CREATE', 'resources/mine')).toBe(false);
    const forged = { ...object, metadata: { ...object.metadata, namespace: 'node1' } };
    expect(site.access.decide(ops, { verb: 'READ', group: 'dtkd.dev', plural: 'resources', name: 'mine', object: forged }).allowed).toBe(
      false,
    );
  });

  it('may pass on what they made, as long as it is theirs', async () => {
    const ops = await site.user('ops');
    const dev = await site.user('dev');
    await site.grant('ops@node0', 'CREATE', RESOURCES);
    await site.create(ops, 'resources', 'mine', front);
    await site.create(OPERATOR, 'resources', 'other', front);
    const made = await site.grant('dev@node0', 'READ,UPDATE', { ...RESOURCES, name: 'mine' }, { by: ops, name: 'c-made' });
    expect(made['parent']).toBeUndefined();
    expect(made['grantor']).toMatchObject({ name: 'ops', home: 'self', display: 'ops@node0' });
    expect(await site.can(dev, 'UPDATE', 'resources/mine')).toBe(true);
    await expect(site.grant('dev@node0', 'READ', { ...RESOURCES, name: 'other' }, { by: ops })).rejects.toThrow(
      /MANAGE on anything that covers/,
    );
    await expect(site.grant('dev@node0', 'READ', RESOURCES, { by: ops })).rejects.toThrow(/MANAGE on anything that covers/);
    await site.remove(OPERATOR, 'resources', 'mine');
    await site.create(OPERATOR, 'resources', 'mine', front);
    expect(await site.can(dev, 'READ', 'resources/mine')).toBe(false);
    await site.remove(ops, 'capabilities', 'c-made');
  });
});

describe('what is being deleted', () => {
  it('counts no more, whatever finalizers hold it', async () => {
    const ops = await site.user('ops');
    const token = await tokenOf(site, 'ops');
    const dev = await site.user('dev');
    await site.create(OPERATOR, 'resources', 'front1', front);
    const capability = await site.grant('dev@node0', 'READ', RESOURCES, { name: 'c-1' });
    await site.create(OPERATOR, 'trusts', 'research', { spec: { members: ['dev@node0'] } });
    await site.create(OPERATOR, 'shares', 's-1', { spec: { trust: 'research@node0', verbs: ['UPDATE'], on: RESOURCES } });
    expect(await site.can(dev, 'UPDATE', 'resources/front1')).toBe(true);
    const mark = async (plural: string, name: string) => {
      const object = await site.store.get({ group: 'dtkd.dev', plural, namespace: NODE, name });
      if (object === undefined) throw new Error('not there');
      const metadata = { ...object.metadata, finalizers: ['example.com/hold'], deletionTimestamp: '2026-11-21T12:00:00Z' };
      await site.store.transact((tx) => tx.put({ ...object, metadata }));
    };
    await mark('users', 'ops');
    await mark('trusts', 'research');
    await mark('capabilities', capability.metadata.name);
    expect(site.access.authenticate(token)).toBeUndefined();
    expect(await site.can(ops, 'READ', 'users/dev')).toBe(false);
    expect(await site.can(dev, 'READ', 'resources/front1')).toBe(false);
    expect(await site.can(dev, 'UPDATE', 'resources/front1')).toBe(false);
  });

  it('is never a grant that somebody means to hold back', async () => {
    await site.user('dev');
    const spec = { to: 'dev@node0', verbs: ['READ'], on: RESOURCES };
    await expect(site.create(OPERATOR, 'capabilities', 'c-1', { spec }, { finalizers: ['example.com/hold'] })).rejects.toMatchObject({
      code: 'INVALID',
    });
  });
});

describe('changes that are told of', () => {
  it('are those that decisions rest on: nothing that members publish about anything else', async () => {
    const own = await site.create(OPERATOR, 'trusts', 'research', {});
    let told = 0;
    site.access.onChange(() => {
      told += 1;
    });
    const eve = { home: 'self', name: 'eve', uid: 'uid-eve', membership: 'm', display: 'x' };
    await site.replica(KEY1, 'node1', 'users', 'eve');
    await site.replica(KEY1, 'node1', 'trusts', 'theirs', { members: [eve] });
    await site.store.transact((tx) => tx.delete({ group: 'dtkd.dev', plural: 'trusts', namespace: 'node1', name: 'theirs' }));
    await site.create(OPERATOR, 'resources', 'front1', front);
    site.mesh.changed();
    expect(told).toBe(0);
    await site.create(OPERATOR, 'shares', 's-1', { spec: { trust: 'research@node0', verbs: ['READ'], on: RESOURCES } });
    expect(told).toBe(1);
    await site.store.transact((tx) => tx.put({ ...own, spec: { description: 'x' } }));
    expect(told).toBe(1);
  });
});

describe('what survives a restart', () => {
  it('is everything', async () => {
    const kv = memoryKv();
    const before = await startSite({ kv });
    const ops = await before.user('ops');
    await before.grant('ops@node0', 'CREATE', RESOURCES);
    await before.create(ops, 'resources', 'mine', front);
    await before.replica(KEY1, 'node1', 'users', 'eve');
    await before.create(OPERATOR, 'trusts', 'research', { spec: { members: ['eve@node1'] } });
    await before.create(OPERATOR, 'shares', 's-1', { spec: { trust: 'research@node0', verbs: ['READ'], on: RESOURCES } });
    const token = await tokenOf(before, 'ops');
    await before.access.stop();
    const after = await startSite({ kv });
    expect(after.access.authenticate(token)).toEqual(ops);
    expect(await after.can(ops, 'UPDATE', 'resources/mine')).toBe(true);
    expect(await after.can(remote(after, 'eve'), 'READ', 'resources/mine')).toBe(true);
    const made = { verb: 'CREATE' as const, group: 'dtkd.dev', plural: 'capabilities', name: 'c-9' };
    const object = {
      ...(await after.store.get({ group: 'dtkd.dev', plural: 'resources', namespace: NODE, name: 'mine' })),
      metadata: { name: 'c-9', uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
      apiVersion: 'dtkd.dev/v1',
      kind: 'Capability',
      spec: { to: 'eve@node1', verbs: ['READ'], on: { ...RESOURCES, name: 'mine' } },
    };
    expect(after.access.decide(ops, { ...made, object }).allowed).toBe(true);
    await after.close();
  });

  it('is what users of other nodes passed on, as long as their homes have them', async () => {
    const kv = memoryKv();
    let site = await startSite({ kv });
    for (const name of ['eve', 'dev']) await site.replica(KEY1, 'node1', 'users', name);
    await site.create(OPERATOR, 'resources', 'front1', front);
    await site.grant('eve@node1', 'READ,MANAGE', RESOURCES);
    await site.grant('dev@node1', 'READ', RESOURCES, { by: remote(site, 'eve') });
    const restarted = async () => {
      await site.access.stop();
      site = await startSite({ kv });
      return site.can(remote(site, 'dev'), 'READ', 'resources/front1');
    };
    expect(await restarted()).toBe(true);
    await site.store.transact((tx) => tx.delete({ group: 'dtkd.dev', plural: 'users', namespace: 'node1', name: 'eve' }));
    expect(await restarted()).toBe(false);
    await site.close();
  });
});

async function tokenOf(at: Site, name: string): Promise<string> {
  const action = at.access.subresources.get('dtkd.dev/users/token');
  const answer = await action?.({ principal: OPERATOR, name, rest: [], method: 'POST', query: new URLSearchParams(), body: undefined });
  if (typeof answer !== 'object' || answer === null || !('token' in answer) || typeof answer.token !== 'string')
    throw new Error('no token');
  return answer.token;
}

describe('tokens of users', () => {
  it('do not end with a user of the same uid that another member publishes', async () => {
    const ops = await site.user('ops');
    const token = await tokenOf(site, 'ops');
    await site.replica(KEY1, 'node1', 'users', 'ops', {}, ops.uid);
    await site.store.transact((tx) => tx.delete({ group: 'dtkd.dev', plural: 'users', namespace: 'node1', name: 'ops' }));
    expect(site.access.authenticate(token)).toEqual(ops);
  });

  it('are theirs until they are made anew or the user is deleted', async () => {
    const ops = await site.user('ops');
    const first = await tokenOf(site, 'ops');
    expect(first).toMatch(/^dtkd_[A-Za-z0-9_-]{43}$/);
    expect(site.access.authenticate(first)).toEqual(ops);
    const second = await tokenOf(site, 'ops');
    expect(site.access.authenticate(first)).toBeUndefined();
    expect(site.access.authenticate(second)).toEqual(ops);
    expect(site.access.authenticate(OPERATOR_TOKEN)).toEqual(OPERATOR);
    await site.remove(OPERATOR, 'users', 'ops');
    expect(site.access.authenticate(second)).toBeUndefined();
    expect((await site.store.kv.page({ gte: 'a/u/', lt: 'a/u0' })).length).toBe(0);
    const again = await site.user('ops');
    expect(again.uid).not.toBe(ops.uid);
    expect(site.access.authenticate(second)).toBeUndefined();
  });

  it('are made for others by the operator alone', async () => {
    const ops = await site.user('ops');
    await site.user('boss');
    await site.grant('ops@node0', 'READ,MANAGE', { kind: '*' });
    const action = site.access.subresources.get('dtkd.dev/users/token');
    const ask = (name: string) =>
      action?.({ principal: ops, name, rest: [], method: 'POST', query: new URLSearchParams(), body: undefined });
    await expect(ask('boss')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await ask('ops')).toHaveProperty('token');
    await expect(
      action?.({ principal: OPERATOR, name: 'nobody', rest: [], method: 'POST', query: new URLSearchParams(), body: undefined }),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('are not made for who came to the name of whoever asked', async () => {
    const former = await site.user('ops');
    await site.remove(OPERATOR, 'users', 'ops');
    await site.user('ops');
    const token = await tokenOf(site, 'ops');
    const action = site.access.subresources.get('dtkd.dev/users/token');
    const asked = action?.({ principal: former, name: 'ops', rest: [], method: 'POST', query: new URLSearchParams(), body: undefined });
    await expect(asked).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(site.access.authenticate(token)).toBeDefined();
  });

  it('do not outlive a user that is deleted while one is being made', async () => {
    await site.user('ops');
    const [token] = await Promise.all([tokenOf(site, 'ops'), site.remove(OPERATOR, 'users', 'ops')]);
    expect(site.access.authenticate(token)).toBeUndefined();
  });

  it('are refused in any other form', () => {
    for (const token of ['', 'dtkd_', 'x'.repeat(5000), 'dtkd_\u{1F600}', '__proto__', 'constructor']) {
      expect(site.access.authenticate(token)).toBeUndefined();
    }
  });
});

describe('whom there is', () => {
  const can = async (principal: Principal, who: string): Promise<unknown> =>
    site.access.actions.get('can')?.({
      principal,
      name: 'can',
      rest: [],
      method: 'GET',
      query: new URLSearchParams({ who, verb: 'READ', what: 'resources' }),
      body: undefined,
    });

  it('is told to nobody who may not ask about others', async () => {
    await site.replica(KEY1, 'node1', 'users', 'eve');
    await site.user('boss');
    for (const who of ['x@node0', 'boss@node0', 'x@nowhere']) {
      const error: unknown = await can(remote(site, 'eve'), who).then(
        () => undefined,
        (caught: unknown) => caught,
      );
      expect(error).toMatchObject({ code: 'FORBIDDEN' });
      expect(JSON.stringify(error)).not.toMatch(/boss|node2/);
    }
    expect(await can(remote(site, 'eve'), 'eve@node1')).toMatchObject({ allowed: false });
    await expect(can(OPERATOR, 'x@node0')).rejects.toMatchObject({ next: expect.stringContaining('boss') });
  });

  it('is told to no user of another node that grants', async () => {
    await site.replica(KEY1, 'node1', 'users', 'eve');
    await site.user('boss');
    await site.grant('eve@node1', 'READ,MANAGE', { kind: 'resources.dtkd.dev' });
    for (const to of ['x@node0', 'x@nowhere', 'trust:x@node0']) {
      const asked = site.grant(to, 'READ', { kind: 'resources.dtkd.dev' }, { by: remote(site, 'eve') });
      await expect(asked).rejects.toMatchObject({ code: 'INVALID', next: 'Ask the operator of the node that owns it.' });
    }
  });
});

describe('views', () => {
  it('say at once when there is nothing to see, and change when there is', async () => {
    const ops = await site.user('ops');
    const eve = remote(site, 'eve');
    expect(site.access.view(OPERATOR, 'dtkd.dev', 'resources')).toBe('all');
    expect(site.access.view(ops, 'dtkd.dev', 'resources')).toBe('none');
    expect(site.access.view(eve, 'dtkd.dev', 'users')).toBe('none');
    await site.grant('ops@node0', 'DISCOVER,CREATE', RESOURCES, { name: 'c-1' });
    const object = await site.create(OPERATOR, 'resources', 'front1', front);
    const view = site.access.view(ops, 'dtkd.dev', 'resources');
    if (typeof view !== 'function') throw new Error('no view of single objects');
    expect(view(object)).toBe('name');
    let told = 0;
    site.access.onChange(() => {
      told += 1;
    });
    const mine = await site.create(ops, 'resources', 'mine', front);
    expect(told).toBe(1);
    expect(view(mine)).toBe('full');
    await site.remove(OPERATOR, 'capabilities', 'c-1');
    expect(view(object)).toBe('hidden');
    expect(view(mine)).toBe('full');
  });

  it('show the users of this node what is public among nodes, and users of others nothing', async () => {
    const ops = await site.user('ops');
    const theirs = await site.replica(KEY1, 'node1', 'users', 'eve');
    const own = await site.store.get({ group: 'dtkd.dev', plural: 'users', namespace: NODE, name: 'ops' });
    for (const object of [theirs, own]) {
      const about = { verb: 'READ' as const, group: 'dtkd.dev', plural: 'users', name: object?.metadata.name ?? '' };
      expect(site.access.decide(ops, { ...about, ...(object === undefined ? {} : { object }) }).allowed).toBe(true);
      expect(site.access.decide(remote(site, 'eve'), { ...about, ...(object === undefined ? {} : { object }) }).allowed).toBe(false);
    }
    expect(await site.can(ops, 'UPDATE', 'users/ops')).toBe(false);
  });

  it('hide a dtApp that is shared into no domain', async () => {
    const ops = await site.user('ops');
    const app = (domains: string[], extra: object = {}) => ({
      apiVersion: 'sid.sightlineinnovation.com/v1',
      kind: 'dtApp',
      metadata: { name: 'app', namespace: NODE, uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
      spec: { serviceSelector: { name: 'web' }, ...(domains.length === 0 ? {} : { domainSelector: { name: domains } }) },
      ...extra,
    });
    const sees = (object: ReturnType<typeof app>) =>
      site.access.decide(ops, { verb: 'READ', group: 'sid.sightlineinnovation.com', plural: 'dtapps', name: 'app', object }).allowed;
    expect(sees(app(['mydomain']))).toBe(true);
    expect(sees(app([]))).toBe(false);
    expect(sees(app([], { owner: 'node1' }))).toBe(true);
  });

  it('do not take an annotation in somebody else’s object for ours', async () => {
    const ops = await site.user('ops');
    const text = `ops/${ops.uid}@self`;
    await site.store.transact((tx) =>
      tx.put(
        {
          apiVersion: 'dtkd.dev/v1',
          kind: 'Trust',
          metadata: {
            name: 'theirs',
            namespace: 'node1',
            uid: 'u1',
            resourceVersion: '1',
            generation: 1,
            creationTimestamp: '',
            annotations: { [CREATOR_ANNOTATION]: text },
          },
        },
        { origin: 'replica' },
      ),
    );
    const object = await site.store.get({ group: 'dtkd.dev', plural: 'trusts', namespace: 'node1', name: 'theirs' });
    if (object === undefined) throw new Error('no object');
    expect(site.access.decide(ops, { verb: 'MANAGE', group: 'dtkd.dev', plural: 'trusts', name: 'theirs', object }).allowed).toBe(false);
    expect(SELF_KEY).toHaveLength(64);
  });
});
