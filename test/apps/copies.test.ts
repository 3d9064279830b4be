import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appId, appUri, copyUid, idOfHost } from '../../daemon/src/apps/app-id.ts';
import type { Change } from '../../daemon/src/store/object-store.types.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { waitFor } from '../wait.ts';
import { appsAt, dtApp, endpoints, put, type Site, Stage, service } from './site.ts';

describe('app ids', () => {
  it('differ by author, app and node, and are found in a host', () => {
    const node = { name: 'node1', suffix: 'example.org' };
    const id = appId('aa', 'uid', 'node1');
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set([id, appId('bb', 'uid', 'node1'), appId('aa', 'other', 'node1'), appId('aa', 'uid', 'node2')]).size).toBe(4);
    expect(copyUid(id)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(appUri(id, node, 80)).toBe(`http://${id}.node1.example.org`);
    expect(appUri(id, node, 7702)).toBe(`http://${id}.node1.example.org:7702`);
    expect(idOfHost(`${id}.node1.example.org`, node)).toBe(id);
    for (const host of [`${id}.node2.example.org`, `x${id}.node1.example.org`, 'node1.example.org', id])
      expect(idOfHost(host, node)).toBeUndefined();
  });
});

describe('copies of apps', () => {
  let stage: Stage;
  let owner: Site;
  let other: Site;

  beforeEach(async () => {
    stage = new Stage();
    owner = await stage.site('node0');
    other = await stage.site('node1');
  });
  afterEach(() => stage.close());

  const only = async (site: Site) => (await appsAt(site))[0];
  const status = async (site: Site) => (await only(site))?.['status'];

  it('have an own name, uid, URI and owner, and what the user wrote where it was written', async () => {
    await stage.expose(owner, { ports: [1] });
    const copy = await only(other);
    const original = await only(owner);
    const author = stage.network.authorOf('node0');
    const id = appId(author?.peer ?? '', original?.metadata.uid ?? '', 'node1');
    expect(copy).toMatchObject({
      metadata: {
        name: id,
        namespace: 'node1',
        uid: copyUid(id),
        generation: 1,
        labels: { 'dtkd.dev/app': 'app', 'dtkd.dev/owner': 'node0' },
      },
      serviceSelector: { name: 'app' },
      domainSelector: { name: ['d'] },
      spec: { authenticationType: 'None' },
      owner: 'node0',
      status: 'Ready',
      URI: `http://${id}.node1.dtkd.localhost:${other.port}`,
    });
    expect(copy?.['message']).toBeUndefined();
    expect(await other.store.originOf({ group: 'sid.sightlineinnovation.com', plural: 'dtapps', namespace: 'node1', name: id })).toBe(
      'projection',
    );
  });

  it('come and change in the transaction that brings the app, and are written once', async () => {
    const batches: string[] = [];
    other.store.subscribe((changes) => {
      const apps = changes.filter(({ ref }) => ref.plural === 'dtapps');
      if (apps.length > 0) batches.push(apps.map(({ type, origin }) => `${type} ${origin}`).join(', '));
    });
    await stage.expose(owner, { ports: [1] });
    await stage.putApp(owner, { ports: [1], allowCrossSite: true });
    await waitFor(async () => (await only(other))?.metadata.generation === 2, { what: 'the change' });
    await stage.deleteApp(owner, 'app');
    await waitFor(async () => (await appsAt(other)).length === 0, { what: 'the copy to go' });
    expect(batches.slice(0, -2)).toEqual(['ADDED replica, ADDED projection', 'MODIFIED replica, MODIFIED projection']);
    expect(batches.slice(-2)).toEqual(['DELETED replica', 'DELETED projection']);
    expect(other.apps.summary()).toEqual({ own: 0, copies: 0, byStatus: {} });
  });

  it('are ready while the owner is merely not connected', async () => {
    await stage.expose(owner, { ports: [1] });
    stage.network.cut('node0', 'node1', Date.UTC(2026, 0, 2));
    await waitFor(async () => (await status(other)) === 'OwnerAway', { what: 'the owner to be away' });
    stage.network.rest('node0', 'node1');
    await waitFor(async () => (await status(other)) === 'Ready', { what: 'the copy to be ready' });
    expect((await only(other))?.['message']).toBeUndefined();
  });

  it('follow the owner: changed, away, back, deleted', async () => {
    await stage.expose(owner, { ports: [1] });
    await stage.putApp(owner, { ports: [1], allowCrossSite: true });
    await waitFor(async () => (await only(other))?.metadata.generation === 2, { what: 'the change' });
    expect(await only(other)).toMatchObject({ spec: { allowCrossSite: true } });
    stage.network.cut('node0', 'node1', Date.UTC(2026, 0, 2));
    await waitFor(async () => (await status(other)) === 'OwnerAway', { what: 'the owner to be away' });
    expect(await only(other)).toMatchObject({
      metadata: { generation: 2 },
      message: 'node0, which owns the app "app", is away since 2026-01-02T00:00:00Z.',
    });
    stage.network.heal('node0', 'node1');
    await waitFor(async () => (await status(other)) === 'Ready', { what: 'the owner to be back' });
    expect((await only(other))?.['message']).toBeUndefined();
    await stage.deleteApp(owner, 'app');
    await waitFor(async () => (await appsAt(other)).length === 0, { what: 'the copy to go' });
  });

  it('are cleared away at the start if their app is gone, and never touch an own app', async () => {
    await stage.expose(owner, { ports: [1] });
    await put(other.store, service('node1', 'mine'));
    await put(other.store, dtApp('node1', 'mine', {}));
    await waitFor(async () => (await appsAt(other)).every((app) => app['status'] !== undefined), { what: 'the statuses' });
    await stage.restart(other, async () => {
      await stage.deleteApp(owner, 'app', [other]);
      expect(await appsAt(other)).toHaveLength(2);
    });
    await waitFor(async () => (await appsAt(other)).length === 1, { what: 'the copy to go' });
    expect((await only(other))?.metadata.name).toBe('mine');
  });

  it('of this node are none; its apps get a status that follows their Service and Endpoints', async () => {
    const changes: Change[] = [];
    owner.store.subscribe((batch) => changes.push(...batch.filter((change) => change.ref.plural === 'dtapps')));
    await put(owner.store, dtApp('node0', 'app', {}));
    await waitFor(async () => (await status(owner)) === 'NoService', { what: 'NoService' });
    await put(owner.store, service('node0', 'app'));
    await waitFor(async () => (await status(owner)) === 'NoEndpoints', { what: 'NoEndpoints' });
    await put(owner.store, endpoints('node0', 'app', [80]));
    await waitFor(async () => (await status(owner)) === 'Ready', { what: 'Ready' });
    await put(owner.store, endpoints('node0', 'app', [owner.port]));
    await waitFor(async () => (await status(owner)) === 'NoEndpoints', { what: 'the refusal of its own port' });
    await put(owner.store, endpoints('node0', 'app', [80]));
    await put(owner.store, dtApp('node0', 'app', { domains: ['elsewhere'] }));
    await waitFor(async () => (await status(owner)) === 'NoDomain', { what: 'NoDomain' });
    const app = await only(owner);
    // Written by the user twice; the daemon's words count for nothing.
    expect(app?.metadata.generation).toBe(2);
    expect(app?.['URI']).toMatch(/^http:\/\/[0-9a-f]{32}\.node0\./);
    // One write for each change of status, none for its own writes.
    expect(changes.length).toBeLessThanOrEqual(8);
  });

  it('outlive a start at which the mesh does not know their author yet', async () => {
    await stage.expose(owner, { ports: [1] });
    const changes: string[] = [];
    await stage.restart(other, async () => {
      stage.network.remove('node0', 'd');
      other.store.subscribe((batch) => changes.push(...batch.map((change) => change.type)));
    });
    stage.network.cut('node0', 'node1', Date.UTC(2026, 0, 2));
    stage.network.join('node0', 'd');
    await waitFor(async () => (await status(other)) === 'OwnerAway', { what: 'the copy to be looked at' });
    expect(changes).not.toContain('DELETED');
  });

  it('say of no app at a start that its domain is not there, before the mesh has said which there are', async () => {
    await stage.expose(owner, { ports: [1] });
    await waitFor(async () => (await status(owner)) === 'Ready', { what: 'Ready' });
    const statuses: unknown[] = [];
    const again = await stage.restart(
      owner,
      async () => {
        stage.network.remove('node0', 'd');
        stage.network.join('node0', 'first');
        owner.store.subscribe((batch) => statuses.push(...batch.map(({ object }) => object?.['status'])));
      },
      async () => {
        // turns in which it would be written
        for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        stage.network.join('node0', 'd');
      },
    );
    await put(owner.store, endpoints('node0', 'app', [again.port]));
    await waitFor(async () => (await status(owner)) === 'NoEndpoints', { what: 'the app to be looked at' });
    expect(statuses).toContain('NoEndpoints');
    expect(statuses).not.toContain('NoDomain');
  });

  it('and other own apps come while a domain refuses what this node says of one of its own, which is told once', async () => {
    other.store.addParticipant({
      prepare: async (changes) => {
        if (changes.some(({ ref, object }) => ref.name === 'mine' && object?.['status'] !== undefined))
          throw new DtkdError('KEY_IN_USE_ELSEWHERE', 'Another process writes with this key');
      },
      committed: () => undefined,
      aborted: () => undefined,
    });
    stage.network.remove('node0', 'd');
    const replica = { ...dtApp('node0', 'app', {}), metadata: { ...dtApp('node0', 'app', {}).metadata, uid: 'u1', resourceVersion: '7' } };
    await other.store.transact(async (tx) => {
      await tx.put(replica, { origin: 'replica' });
      for (const name of ['mine', 'next']) await tx.put(dtApp('node1', name, {}));
    });
    stage.network.join('node0', 'd');
    const seen = async () => (await appsAt(other)).map((app) => `${app['owner'] ?? app.metadata.name} ${app['status']}`).sort();
    await waitFor(async () => (await seen()).join() === 'mine undefined,next NoService,node0 Ready', { what: 'all that may be written' });
    await put(other.store, service('node1', 'next'));
    await waitFor(async () => (await seen()).includes('next NoEndpoints'), { what: 'what comes after a refusal' });
    for (const name of ['x', 'y', 'z']) await stage.network.node(name, ['d']);
    await put(other.store, endpoints('node1', 'next', [80]));
    await waitFor(async () => (await seen()).includes('next Ready'), { what: 'what comes after many refusals' });
    expect(stage.warnings).toEqual(['the copies of apps could not be written']);
  });

  it('wait for the mesh to know their author', async () => {
    stage.network.remove('node0', 'd');
    const replica = { ...dtApp('node0', 'app', {}), metadata: { ...dtApp('node0', 'app', {}).metadata, uid: 'u1', resourceVersion: '7' } };
    await other.store.transact((tx) => tx.put(replica, { origin: 'replica' }));
    expect(other.apps.summary()).toMatchObject({ copies: 0 });
    stage.network.join('node0', 'd');
    await waitFor(async () => (await status(other)) === 'Ready', { what: 'the copy' });
    expect(other.apps.summary()).toEqual({ own: 0, copies: 1, byStatus: { Ready: 1 } });
  });
});
