import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventRecorder } from '../../daemon/src/store/event-recorder.ts';
import { endpointSliceKind } from '../../protocol/kinds/endpoint-slice.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import type { Principal } from '../../protocol/rights/principal.ts';
import { waitFor } from '../wait.ts';
import { KEY1, NODE, OPERATOR, remote, type Site, startSite } from './site.ts';

let site: Site;
beforeEach(async () => {
  site = await startSite();
});
afterEach(() => site.close());

const front = { spec: { model: 'web', type: 'Service' } };

/** Writes an Event about an object and returns it. */
async function eventAbout(about: ApiObject, reason: string): Promise<ApiObject> {
  const recorder = new EventRecorder({
    store: site.store,
    node: NODE,
    now: () => site.time.now,
    onError: (error) => {
      throw error;
    },
  });
  recorder.record({ about, type: 'Normal', reason, message: 'a word about it' });
  return waitFor(async () => (await site.store.list({ group: '', plural: 'events' })).items.find((event) => event['reason'] === reason), {
    what: 'the Event',
  });
}

function shows(who: Principal, plural: string, object: ApiObject, group = ''): string {
  const view = site.access.view(who, group, plural);
  return view === 'all' ? 'full' : view === 'none' ? 'none' : view(object);
}

describe('Events', () => {
  it('show to whoever may read what they are about, and to nobody else', async () => {
    const [ops, dev] = [await site.user('ops'), await site.user('dev')];
    const shown = await site.create(OPERATOR, 'resources', 'front1', front, { labels: { tier: 'front' } });
    const event = await eventAbout(shown, 'Shown');
    expect(shows(OPERATOR, 'events', event)).toBe('full');
    expect(shows(ops, 'events', event)).toBe('hidden');
    await site.grant('ops@node0', 'DISCOVER', { kind: 'resources.dtkd.dev', name: 'front1' });
    expect(shows(ops, 'events', event), 'a message tells more than a name').toBe('hidden');
    await site.grant('ops@node0', 'READ', { kind: 'resources.dtkd.dev', name: 'front1' }, { name: 'c-1' });
    expect(shows(ops, 'events', event)).toBe('full');
    expect(site.access.decide(ops, { verb: 'READ', group: '', plural: 'events', name: event.metadata.name, object: event }).allowed).toBe(
      true,
    );
    await site.grant('dev@node0', 'READ', { kind: 'resources.dtkd.dev', labelSelector: 'tier=front' });
    expect(shows(dev, 'events', event), 'by the labels that it had').toBe('full');
    await site.remove(OPERATOR, 'capabilities', 'c-1');
    expect(shows(ops, 'events', event)).toBe('hidden');
  });

  it('show to whoever made what they are about, not to who made another of that name', async () => {
    const [ops, dev] = [await site.user('ops'), await site.user('dev')];
    for (const [user, name] of [
      [ops, 'a'],
      [dev, 'b'],
    ] as const) {
      await site.grant(user.display, 'CREATE', { kind: 'resources.dtkd.dev' });
      const made = await site.create(user, 'resources', name, front);
      const event = await eventAbout(made, `By${name}`);
      expect(shows(user, 'events', event)).toBe('full');
      expect(shows(user === ops ? dev : ops, 'events', event)).toBe('hidden');
      await site.remove(OPERATOR, 'resources', name);
      await site.create(OPERATOR, 'resources', name, front);
      expect(shows(user, 'events', event), 'what was its own stays its own').toBe('full');
    }
  });

  it('are no part of a grant on everything but by what they are about; a grant that names them is one on all', async () => {
    const ops = await site.user('ops');
    const domain = { apiVersion: 'sid.sightlineinnovation.com/v1', kind: 'dtDomain' };
    const metadata = { name: 'mydomain', namespace: NODE, uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' };
    const secretive = await eventAbout({ ...domain, metadata }, 'Joined');
    const open = await eventAbout(await site.create(OPERATOR, 'resources', 'front1', front), 'Open');
    await site.grant('ops@node0', 'READ', { kind: '*' });
    expect(shows(ops, 'events', secretive)).toBe('hidden');
    expect(shows(ops, 'events', open)).toBe('full');
    await site.grant('ops@node0', 'READ', { kind: 'events' });
    expect(shows(ops, 'events', secretive)).toBe('full');
  });

  it('show to users of other nodes by the same rule', async () => {
    await site.replica(KEY1, 'node1', 'users', 'ops');
    const ops = remote(site, 'ops');
    const event = await eventAbout(await site.create(OPERATOR, 'resources', 'front1', front), 'Made');
    expect(shows(ops, 'events', event)).toBe('none');
    await site.grant('ops@node1', 'READ', { kind: 'resources.dtkd.dev' });
    expect(shows(ops, 'events', event)).toBe('full');
  });
});

describe('EndpointSlices', () => {
  it('show to whoever may read their Endpoints', async () => {
    const ops = await site.user('ops');
    const metadata = {
      name: 'web',
      namespace: NODE,
      uid: 'u',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '',
      labels: { a: 'b' },
    };
    const subsets = [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }];
    const [slice] = endpointSliceKind.derived?.objects({ apiVersion: 'v1', kind: 'Endpoints', metadata, subsets }) ?? [];
    if (slice === undefined) throw new Error('no slice');
    const group = 'discovery.k8s.io';
    expect(shows(ops, 'endpointslices', slice, group)).toBe('none');
    await site.grant('ops@node0', 'DISCOVER', { kind: 'endpoints', name: 'web' });
    expect(shows(ops, 'endpointslices', slice, group)).toBe('hidden');
    await site.grant('ops@node0', 'READ', { kind: 'endpoints', labelSelector: 'kubernetes.io/service-name=web' }, { name: 'c-label' });
    expect(shows(ops, 'endpointslices', slice, group), 'their Endpoints have no such label').toBe('hidden');
    await site.grant('ops@node0', 'READ', { kind: 'endpoints', name: 'web', labelSelector: 'a=b' });
    expect(shows(ops, 'endpointslices', slice, group)).toBe('full');
    await expect(site.grant('ops@node0', 'READ', { kind: 'endpointslices.discovery.k8s.io' })).rejects.toMatchObject({ code: 'INVALID' });
  });
});
