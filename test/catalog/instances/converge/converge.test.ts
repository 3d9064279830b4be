import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CommandEnd } from '../../../../daemon/src/catalog/instances/instances.types.ts';
import type { ServiceFile } from '../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { conditionsOf } from '../../../../protocol/objects/conditions.ts';
import { waitFor } from '../../../wait.ts';
import { NODE, object, ref, refusal, remove, write } from '../../model/fixtures.ts';
import { type Bench, bench, MANIFEST, service, taskEnd } from './bench.ts';

let made: Bench[] = [];
afterEach(async () => {
  for (const one of made) await one.close();
  made = [];
  vi.restoreAllMocks();
});

async function fresh(file: ServiceFile, nodes?: string[]): Promise<Bench> {
  const one = await bench(nodes);
  made.push(one);
  await one.put(file);
  return one;
}

const TIER = {
  db: { type: 'Database', properties: { name: 'orders', password: 'db-password' } },
  web: { type: 'WebServer', on: { nodes: 'name=node1,node2', count: 2 }, links: { db: 'db' } },
};
/** What the target offers, as a service file takes it. */
const TARGET_LABEL = ['$', '{target.label}'].join('');
const SHOP = service('shop', { components: TIER, apps: { front: { component: 'web', domains: ['a'] } } });
const wait = async () => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const statusOf = (object: unknown) => Object(Object(object)['status']);

describe('converging', () => {
  it('creates everything in the order of needs, and does nothing the second time', async () => {
    const { store, machines, daemon, instance, objects, disk } = await fresh(SHOP);
    const { run } = await daemon();
    const answer = await run('shop', 'converge');
    expect(answer).toMatchObject({ task: 'shop-1', unchanged: 0 });
    expect(machines.done[0]).toBe('create db');
    expect(machines.done.slice(1).sort()).toEqual(['create web-1', 'create web-2']);
    expect([...machines.site]).toContainEqual(['web-1@node1', { database: 'orders' }]);
    expect(await instance('shop')).toMatchObject({
      phase: 'Ready',
      resources: 3,
      nodes: [NODE, 'node1', 'node2'],
      apps: [{ node: 'node1' }, { node: 'node2' }],
    });
    expect(disk.repositories.get('shop')?.applied).toBe((await instance('shop')).applied);
    expect([...objects.keys()].filter((key) => key.startsWith('node1/'))).toEqual([
      'node1/Endpoints/shop-front',
      'node1/Service/shop-front',
      'node1/dtApp/shop-front',
    ]);
    const task = await store.get(ref('tasks', 'shop-1'));
    expect(statusOf(task)).toMatchObject({ state: 'succeeded' });
    for (const step of statusOf(task).steps) expect(step).toMatchObject({ state: 'succeeded', finishedAt: expect.any(String) });
    const version = store.version();
    expect(await run('shop', 'converge')).toMatchObject({ steps: [], unchanged: 3 });
    expect(store.version()).toBe(version);
  });

  it('of an edit touches only what is meant, and commits it in words', async () => {
    const { machines, daemon, edit, disk } = await fresh(SHOP);
    const { run, ask } = await daemon();
    await run('shop', 'converge');
    machines.done.length = 0;
    edit('shop', { ...SHOP, components: { ...TIER, web: { ...TIER.web, properties: { port: 8080 } } } });
    const shown = await ask('shop', 'plan');
    expect(shown).toMatchObject({
      differences: expect.arrayContaining([{ kind: 'property', what: 'web.port', op: 'added', after: 8080 }]),
    });
    expect(machines.done).toEqual([]);
    await run('shop', 'converge', { plan: shown['digest'] });
    expect(machines.done.sort()).toEqual(['converge web-1', 'converge web-2']);
    expect(disk.repositories.get('shop')?.commits.at(-1)?.message).toBe('Converge: web.port = 8080');
    expect((await refusal(ask('shop', 'converge', { plan: 'f'.repeat(64) }))).message).toContain('has changed since');
  });

  it('commits what means nothing to resources, without a task', async () => {
    const { daemon, edit, disk, instance, store } = await fresh(SHOP);
    const { run } = await daemon();
    await run('shop', 'converge');
    edit('shop', { ...SHOP, description: 'ours' });
    const answer = await run('shop', 'converge');
    expect(answer['task']).toBeUndefined();
    expect(answer).toMatchObject({ steps: [], commit: disk.repositories.get('shop')?.commits.at(-1)?.id });
    expect(await instance('shop')).toMatchObject({ phase: 'Ready', applied: answer['commit'] });
    expect(disk.repositories.get('shop')?.applied).toBe(answer['commit']);
    expect(Object(await store.get(ref('Model', 'shop')))['spec']).toEqual({ description: 'ours' });
  });

  it('refuses with everything that is wrong, and changes nothing', async () => {
    const broken = service('shop', {
      components: { web: { type: 'WebServer', properties: { port: 'many' } }, other: { type: 'Nothing' } },
    });
    const { daemon, store } = await fresh(broken);
    const { ask } = await daemon();
    const version = store.version();
    const error = await refusal(ask('shop', 'converge'));
    expect(error.code).toBe('VIOLATIONS');
    expect(Object(error.details)['violations']).toMatchObject([{ kind: 'UNKNOWN_TYPE' }, { kind: 'ILLEGAL_VALUE' }]);
    expect(store.version()).toBe(version);
    expect(await ask('shop', 'state')).toMatchObject({ phase: 'Staged', violations: [{}, {}] });
  });

  it('is refused by what is there already and not of the service, before anything is committed or rewritten', async () => {
    const { daemon, edit, store, disk } = await fresh(SHOP);
    const { run, ask } = await daemon();
    const repository = () => structuredClone(disk.repositories.get('shop'));
    const expectTaken = async (what: string, body: object, where: RegExp) => {
      const [version, before] = [store.version(), repository()];
      const error = await refusal(ask('shop', what, body));
      expect(error.code).toBe('VIOLATIONS');
      const found = [
        {
          kind: 'ILLEGAL_VALUE',
          where: expect.stringMatching(where),
          message: expect.stringContaining(' already, and does not belong to the service'),
        },
      ];
      expect(Object(error.details)['violations']).toMatchObject(found);
      expect(await ask('shop', 'state')).toMatchObject({ violations: found });
      expect([store.version(), repository()]).toEqual([version, before]);
    };
    await write(store, object('Model', 'shop'));
    edit('shop', { ...SHOP, description: 'ours' });
    await expectTaken('plan', {}, /^name/);
    await expectTaken('converge', {}, /^name/);
    await remove(store, ref('models', 'shop'));
    await write(store, object('Model', 'own'), object('Resource', 'shop.db', { model: 'own', type: 'Service' }));
    await expectTaken('converge', {}, /^db/);
    await remove(store, ref('resources', 'shop.db'));
    await write(store, object('Type', 'shop.plain', { name: 'Own' }));
    await expectTaken('converge', {}, /types\.Plain$/);
    await remove(store, ref('types', 'shop.plain'));
    const shared = { name: 'shop-front', namespace: 'node2', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' };
    const theirs = { apiVersion: 'v1', kind: 'Service', metadata: shared, spec: { ports: [{ port: 80 }] } };
    await store.transact((tx) => tx.put(theirs, { origin: 'replica' }));
    await expectTaken('converge', {}, /^apps\.front/);
    await store.transact((tx) => tx.delete({ group: '', plural: 'services', namespace: 'node2', name: 'shop-front' }));
    await run('shop', 'converge');
    const first = disk.repositories.get('shop')?.commits[0]?.id ?? '';
    await run('shop', 'delete');
    await write(store, object('Model', 'shop'));
    await expectTaken('rollback', { to: first, discard: true }, /^name/);
  });

  it('goes on after a failure with what is left', async () => {
    const { machines, daemon, instance, store } = await fresh(SHOP);
    const { run, ask } = await daemon();
    machines.fails = (what) => (what === 'create web-1' ? { outcome: 'failed', exitStatus: 3 } : undefined);
    machines.output = () => 'cannot listen\n';
    await run('shop', 'converge', { threads: 1 });
    expect(await instance('shop')).toMatchObject({ phase: 'Failed', message: expect.stringContaining('exit status 3: cannot listen') });
    const task = statusOf(await store.get(ref('tasks', 'shop-1')));
    expect(task.state).toBe('failed');
    expect(task.steps.find(({ resource }: { resource: string }) => resource === 'web-1')).toMatchObject({ state: 'failed', exitStatus: 3 });
    expect(task.steps.find(({ resource }: { resource: string }) => resource === 'web-2')).toMatchObject({ state: 'skipped' });
    expect(await ask('shop', 'state')).toMatchObject({
      resources: [{ name: 'db', state: 'applied' }, { state: 'broken' }, { state: 'new' }],
    });
    machines.fails = () => undefined;
    await run('shop', 'converge');
    expect(await instance('shop')).toMatchObject({ phase: 'Ready' });
    expect(machines.done).toEqual(['create db', 'create web-1', 'create web-2']);
  });

  it('shows changed module copies as not applied after a failure', async () => {
    const made = await fresh(service('shop', { components: { db: TIER.db } }));
    const { run, ask, ports } = await made.daemon();
    await run('shop', 'converge');
    const first = await ports.files.at('shop', 'HEAD');
    const { at } = ports.files;
    ports.files.at = async (name, revision) => (revision === first.commit ? first : at(name, revision));
    made.manifest = { ...MANIFEST, version: '1.1.0' };
    made.edit('shop', service('shop', { components: { db: TIER.db }, description: 'ours' }));
    made.machines.fails = () => ({ outcome: 'failed', exitStatus: 3 });
    await run('shop', 'converge');
    const changed = { kind: 'module', what: 'acme/web', op: 'changed', before: '1.0.0', after: '1.1.0' };
    expect(await ask('shop', 'state')).toMatchObject({ phase: 'Failed', edited: [], pending: [changed], resources: [{ state: 'broken' }] });
    made.machines.fails = () => undefined;
    await run('shop', 'converge');
    expect(await ask('shop', 'state')).toMatchObject({ phase: 'Ready', edited: [], pending: [] });
  });

  it('takes down before it brings up elsewhere', async () => {
    const { machines, daemon, edit, store } = await fresh(SHOP);
    const { run } = await daemon();
    await run('shop', 'converge');
    machines.done.length = 0;
    edit('shop', { ...SHOP, components: { ...TIER, db: { ...TIER.db, on: 'node2' } } });
    await run('shop', 'converge');
    expect(machines.done.slice(0, 2)).toEqual(['delete db', 'create db']);
    expect([...machines.site.keys()].sort()).toEqual(['db@node2', 'web-1@node1', 'web-2@node2']);
    expect(Object(Object(await store.get(ref('Resource', 'shop.db')))['spec'])['parents']).toEqual(['node/node2']);
  });

  it('removes apps that are wanted no more, and fails where a node does not let it', async () => {
    const made = await fresh(SHOP);
    const { daemon, edit, objects, instance } = made;
    const { run } = await daemon();
    made.refuses = (node) => (node === 'node2' ? new DtkdError('FORBIDDEN', 'not for you') : undefined);
    await run('shop', 'converge');
    expect(await instance('shop')).toMatchObject({ phase: 'Failed', message: expect.stringContaining('not for you') });
    made.refuses = () => undefined;
    expect(await run('shop', 'converge')).toMatchObject({ steps: [{ title: 'Apps' }, { title: 'App shop-front on node2' }] });
    expect(objects.size).toBe(6);
    edit('shop', service('shop', { components: TIER }));
    await run('shop', 'converge');
    expect(objects.size).toBe(0);
    expect(await instance('shop')).toMatchObject({ phase: 'Ready', apps: [] });
  });

  it('goes on without a node that is known no more', async () => {
    const made = await fresh(SHOP);
    const { run } = await made.daemon();
    await run('shop', 'converge');
    made.refuses = (node) => (node === 'node2' ? new DtkdError('NOT_FOUND', 'nobody knows it') : undefined);
    made.nodes.splice(made.nodes.indexOf('node2'), 1);
    made.edit('shop', { ...SHOP, components: { ...TIER, web: { ...TIER.web, on: 'name=node1,node2' } } });
    await run('shop', 'converge');
    expect(await made.instance('shop')).toMatchObject({ phase: 'Ready', resources: 2, nodes: [NODE, 'node1'], apps: [{ node: 'node1' }] });
    expect(made.machines.done).not.toContain('delete web-2');
  });

  it('forgets nothing that is on a member which is suspended', async () => {
    const made = await fresh(SHOP);
    const { run } = await made.daemon();
    await run('shop', 'converge');
    made.suspended = made.nodes.splice(made.nodes.indexOf('node2'), 1);
    made.machines.fails = (what) => (what === 'delete web-2' ? { outcome: 'unreachable', reason: 'it is suspended' } : undefined);
    await run('shop', 'delete', { keepGoing: true });
    expect(await made.instance('shop')).toMatchObject({ phase: 'Failed', resources: 2, nodes: [NODE, 'node2'] });
    made.machines.fails = () => undefined;
    await run('shop', 'delete');
    expect(made.machines.done).toContain('delete web-2');
    expect(made.objects.size).toBe(0);
    expect(await made.instance('shop')).toMatchObject({ phase: 'Deleted', resources: 0 });
  });

  it('takes a command over resources of which there are none for done', async () => {
    const { machines, daemon, store, instance } = await fresh(SHOP);
    const { run } = await daemon();
    machines.isOverNothing = (what) => what === 'create db';
    await run('shop', 'converge');
    expect(statusOf(await store.get(ref('tasks', 'shop-1')))).toMatchObject({ state: 'succeeded' });
    expect(machines.done.sort()).toEqual(['create web-1', 'create web-2']);
    expect(await instance('shop')).toMatchObject({ phase: 'Ready', resources: 3 });
    expect(await run('shop', 'converge')).toMatchObject({ steps: [], unchanged: 3 });
  });

  it('runs one task at a time, which can be cancelled', async () => {
    const { machines, daemon, store, instance } = await fresh(SHOP);
    const { ask, part } = await daemon();
    machines.turns = () => Number.POSITIVE_INFINITY;
    const { task } = await ask('shop', 'converge');
    const error = await refusal(ask('shop', 'converge'));
    expect(error).toMatchObject({ code: 'CONFLICT', details: { task } });
    expect(error.message).toContain('shop-1');
    const cancel = part.subresources.get('dtkd.dev/tasks/cancel');
    await cancel?.({
      principal: { type: 'user', home: 'self', name: 'ops', uid: 'u1', display: 'ops@node0' },
      name: 'shop-1',
      rest: [],
      method: 'POST',
      query: new URLSearchParams(),
      body: {},
      signal: new AbortController().signal,
    });
    const ended = await taskEnd(store, 'shop-1');
    expect(statusOf(ended)).toMatchObject({ state: 'cancelled', message: 'cancelled by ops@node0' });
    expect(machines.aborted).toHaveLength(1);
    expect(await instance('shop')).toMatchObject({ phase: 'Failed' });
    machines.turns = () => 1;
    const { run } = await daemon();
    await run('shop', 'converge');
    expect(await instance('shop')).toMatchObject({ phase: 'Ready' });
  });

  it('begins once what the last one has left to do is done, which would undo it', async () => {
    const made = await fresh(SHOP);
    const { ask, ports } = await made.daemon();
    const slow = Promise.withResolvers<void>();
    const open = ports.repositories.open.bind(ports.repositories);
    ports.repositories.open = async (name) => {
      const repository = await open(name);
      return { ...repository, setApplied: (commit) => slow.promise.then(() => repository.setApplied(commit)) };
    };
    const kept: unknown[] = [];
    ports.copies.releaseCopies = async (_name, digests) => void kept.push([...digests]);
    await taskEnd(made.store, String((await ask('shop', 'converge'))['task']));
    made.manifest = { ...MANIFEST, version: '1.1.0' };
    const next = ask('shop', 'converge');
    await wait();
    expect(made.published).toHaveLength(1);
    slow.resolve();
    await taskEnd(made.store, String((await next)['task']));
    await wait();
    expect(kept).toEqual(made.published.map(({ digest }) => [digest]));
    expect(await made.instance('shop')).toMatchObject({ phase: 'Ready' });
  });

  it('tells what is applied also where it hears how a command has ended when its task is over', async () => {
    const { machines, daemon, instance, store } = await fresh(service('shop', { components: { db: TIER.db } }));
    const { run } = await daemon();
    machines.fails = () => ({ outcome: 'unknown', reason: 'contact was lost' });
    await run('shop', 'converge');
    expect(await instance('shop')).toMatchObject({ phase: 'Failed', resources: 1 });
    machines.fails = () => undefined;
    await run('shop', 'converge');
    const ready = await instance('shop');
    expect(ready).toMatchObject({ phase: 'Ready', resources: 1, nodes: [NODE] });
    machines.fails = () => ({ outcome: 'unknown', reason: 'contact was lost' });
    await run('shop', 'delete');
    expect(await instance('shop')).toMatchObject({ phase: 'Failed', resources: 1, nodes: [NODE] });
    const lost = [...machines.executions.values()].findLast(({ ended }) => ended?.outcome === 'unknown');
    if (lost === undefined) throw new Error('nothing is unknown');
    lost.end.promise = Promise.resolve({ outcome: 'succeeded' });
    await write(store, { ...object('Execution', lost.id), status: { phase: 'Finished', parts: [] } });
    await waitFor(async () => (await instance('shop'))['resources'] === 0, { what: 'the resource to be told as gone' });
    expect(await instance('shop')).toMatchObject({ phase: 'Failed', nodes: [] });
  });

  it('brings back what an earlier one was taking down when contact was lost', async () => {
    const { machines, daemon, edit, instance, store } = await fresh(service('shop', { components: TIER }));
    const { run, ask } = await daemon();
    await run('shop', 'converge');
    machines.fails = (what) => (what === 'delete web-1' ? { outcome: 'unknown', reason: 'contact was lost' } : undefined);
    edit('shop', service('shop', { components: { db: TIER.db } }));
    await run('shop', 'converge');
    expect(await instance('shop')).toMatchObject({ phase: 'Failed' });
    machines.fails = () => undefined;
    const [lost] = [...machines.executions.values()].filter(({ ended }) => ended?.outcome === 'unknown');
    if (lost === undefined) throw new Error('nothing is unknown');
    const found = Promise.withResolvers<CommandEnd>();
    lost.end.promise = found.promise;
    edit('shop', service('shop', { components: TIER }));
    const { task } = await ask('shop', 'converge');
    await waitFor(() => machines.done.includes('create web-2'), { what: 'what does not wait for it' });
    // the waiting task hears of it later than a listener that only records it
    const later = Promise.withResolvers<void>();
    let heard = 0;
    machines.stored = (what) => (what === 'delete web-1' && ++heard === 1 ? later.promise : Promise.resolve());
    found.resolve({ outcome: 'succeeded' });
    await write(store, { ...object('Execution', lost.id), status: { phase: 'Finished', parts: [] } });
    await waitFor(async () => (await store.kv.page({ gte: 'i/s/shop-2/', lt: 'i/s/shop-20' })).length === 0, {
      what: 'its end to be recorded',
    });
    later.resolve();
    await taskEnd(store, String(task));
    expect(await instance('shop')).toMatchObject({ phase: 'Ready', resources: 3 });
    expect(machines.done).toContain('create web-1');
  });

  it('rolls back to an earlier commit', async () => {
    const { machines, daemon, edit, disk } = await fresh(SHOP);
    const { run, ask } = await daemon();
    await run('shop', 'converge');
    const first = disk.repositories.get('shop')?.commits[0]?.id ?? '';
    edit('shop', { ...SHOP, components: { ...TIER, web: { ...TIER.web, properties: { port: 8080 } } } });
    await run('shop', 'converge');
    edit('shop', { ...SHOP, description: 'edited' });
    expect((await refusal(ask('shop', 'rollback', { to: first.slice(0, 8) }))).message).toContain('were edited since');
    await run('shop', 'rollback', { to: first.slice(0, 8), discard: true });
    expect([...machines.site]).toContainEqual(['web-1@node1', { database: 'orders' }]);
    expect(disk.repositories.get('shop')?.commits.at(-1)?.message).toBe(`Roll back to ${first.slice(0, 8)}`);
  });

  it('runs actions and looks for drift', async () => {
    const { machines, daemon, store, disk } = await fresh(SHOP);
    const { run, ask } = await daemon();
    expect((await refusal(ask('shop', 'drift'))).code).toBe('CONFLICT');
    await run('shop', 'converge');
    machines.done.length = 0;
    await run('shop', 'exec', { component: 'web', command: 'restart', batch: '1' });
    expect(machines.done).toEqual(['restart web-1', 'restart web-2']);
    // what cannot run is no task
    const slip = await refusal(ask('shop', 'exec', { component: 'web', command: 'restart', options: { fast: 'yes' } }));
    expect(slip).toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('there is no option "fast"'),
      next: 'It takes no options.',
    });
    expect(await store.get(ref('tasks', 'shop-3'))).toBeUndefined();
    // what is brought up can be acted on also without its files
    const kept = disk.repositories.get('shop');
    disk.repositories.delete('shop');
    await run('shop', 'exec', { component: 'db', command: 'restart' });
    expect(machines.done.at(-1)).toBe('restart db');
    if (kept !== undefined) disk.repositories.set('shop', kept);
    machines.fails = (what) => (what === 'check web-2' ? { outcome: 'failed', exitStatus: 1 } : undefined);
    const { task } = await run('shop', 'drift');
    expect(statusOf(await store.get(ref('tasks', String(task))))).toMatchObject({ state: 'failed' });
    const state = await ask('shop', 'state');
    expect(state['resources']).toMatchObject([
      { name: 'db', check: { ok: true } },
      { name: 'web-1', check: { ok: true } },
      { name: 'web-2', check: { ok: false, message: expect.stringContaining('not as it should be') } },
    ]);
    expect(state).toMatchObject({ phase: 'Ready', task: { name: task } });
  });

  it('shows drift that was found, until it is brought back or not found any more', async () => {
    const { machines, daemon, store, instance } = await fresh(SHOP);
    const { run } = await daemon();
    const found = async () => {
      const object = await store.get(ref('serviceinstances', 'shop'));
      const [condition] = conditionsOf(object?.['status']).filter(({ type }) => type === 'DriftFound');
      return [condition?.status, statusOf(object).drift?.resources];
    };
    await run('shop', 'converge');
    expect(await found()).toEqual(['False', undefined]);
    machines.fails = (what) => (what === 'check web-2' || what === 'check db' ? { outcome: 'failed', exitStatus: 1 } : undefined);
    await run('shop', 'drift');
    expect(await found()).toEqual(['True', ['db', 'web-2']]);
    // what runs meanwhile says nothing of it
    await run('shop', 'exec', { component: 'web', command: 'restart' });
    expect(await found()).toEqual(['True', ['db', 'web-2']]);
    machines.fails = (what) => (what === 'check web-2' ? { outcome: 'failed', exitStatus: 1 } : undefined);
    await run('shop', 'drift');
    expect(await found()).toEqual(['True', ['web-2']]);
    await run('shop', 'converge');
    expect(await found()).toEqual(['False', undefined]);
    await run('shop', 'drift');
    machines.fails = () => undefined;
    await run('shop', 'drift');
    expect(await found()).toEqual(['False', undefined]);
    expect(await instance('shop')).toMatchObject({ phase: 'Ready', resources: 3 });
  });

  it('is taken down and brought up anew, and put away with its history', async () => {
    const { machines, daemon, instance, store, disk, objects } = await fresh(SHOP);
    const { run, part } = await daemon();
    await run('shop', 'converge');
    machines.done.length = 0;
    await run('shop', 'delete');
    expect(machines.done.slice(-1)).toEqual(['delete db']);
    expect(machines.site.size + objects.size).toBe(0);
    expect(await instance('shop')).toMatchObject({ phase: 'Deleted', resources: 0 });
    expect(await store.get(ref('Model', 'shop'))).toBeUndefined();
    await run('shop', 'converge');
    expect(machines.site.size).toBe(3);
    const handler = part.handlers.get('dtkd.dev/serviceinstances');
    const object = await store.get(ref('serviceinstances', 'shop'));
    const context = { principal: { type: 'operator', name: 'operator' } as const, dryRun: false, cascade: false, warn: () => undefined };
    if (object === undefined) throw new Error('it is gone');
    expect((await refusal(Promise.resolve(handler?.delete?.(object, context)))).message).toContain('is Ready');
    await run('shop', 'uninstall');
    expect(disk.archived).toEqual(['shop']);
    expect(await store.get(ref('serviceinstances', 'shop'))).toBeUndefined();
    expect(await store.get(ref('tasks', 'shop-1'))).toBeDefined();
    expect((await store.kv.page({ gte: 'i/a/', lt: 'i/b' })).length).toBe(0);
  });

  it('stays if its uninstallation is cancelled, which is no fault to be looked into', async () => {
    const { machines, daemon, instance, store } = await fresh(SHOP);
    const { run, ask, part, ports } = await daemon();
    await run('shop', 'converge');
    machines.turns = () => Number.POSITIVE_INFINITY;
    const [warned, noted] = [vi.spyOn(ports.logger, 'warn'), vi.spyOn(ports.logger, 'info')];
    const { task } = await ask('shop', 'uninstall');
    await part.subresources.get('dtkd.dev/tasks/cancel')?.({
      principal: { type: 'operator', name: 'operator' },
      name: String(task),
      rest: [],
      method: 'POST',
      query: new URLSearchParams(),
      body: {},
      signal: new AbortController().signal,
    });
    await taskEnd(store, String(task));
    const reason = expect.stringContaining('could not be taken down: cancelled by operator');
    await waitFor(() => noted.mock.calls.length > 0);
    expect(noted).toHaveBeenCalledWith({ service: 'shop', reason }, expect.any(String));
    expect(warned).not.toHaveBeenCalled();
    expect(await instance('shop')).toMatchObject({ phase: 'Failed' });
  });

  it('stays if it is brought up while it is to be put away', async () => {
    const { machines, daemon, instance, store, disk } = await fresh(SHOP);
    const { ask, ports } = await daemon();
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    void ports.turns.alone('shop', () => first.promise);
    const converging = ask('shop', 'converge');
    await wait();
    void ports.turns.alone('shop', () => second.promise);
    const going = refusal(ask('shop', 'uninstall'));
    await wait();
    first.resolve();
    await taskEnd(store, String((await converging)['task']));
    await wait();
    second.resolve();
    expect(await going).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('was brought up meanwhile') });
    expect(machines.site.size).toBe(3);
    expect(disk.archived).toEqual([]);
    expect(await instance('shop')).toMatchObject({ phase: 'Ready', resources: 3 });
  });
});

describe('targets', () => {
  const SITE = service('site', {
    role: 'target',
    kind: 'hosts',
    offers: { nodes: 'name=node2', label: 'blue' },
    components: { mark: { type: 'Plain', properties: { text: 'x' } } },
  });
  const APP = service('app', {
    'target-kind': 'hosts',
    target: 'site',
    components: { web: { type: 'WebServer', properties: { note: TARGET_LABEL } } },
  });

  it('give places and values to those that are staged against them, once they are converged', async () => {
    const { machines, daemon, put } = await fresh(SITE);
    await put(APP);
    const { run, ask } = await daemon();
    expect(Object((await refusal(ask('app', 'converge'))).details)['violations']).toMatchObject([{ kind: 'TARGET_NOT_READY' }]);
    await run('site', 'converge');
    await run('app', 'converge');
    expect([...machines.site]).toEqual([['web@node2', { note: 'blue' }]]);
  });

  it('stay while others need them, or go with them', async () => {
    const { machines, daemon, put, instance, disk, store } = await fresh(SITE);
    await put(APP);
    const { run, ask } = await daemon();
    await run('site', 'converge');
    await run('app', 'converge');
    for (const what of ['delete', 'uninstall']) {
      expect(await refusal(ask('site', what))).toMatchObject({ code: 'CONFLICT', details: { dependents: ['app'] } });
    }
    await run('site', 'delete', { recursive: true });
    expect(machines.done.slice(-1)).toEqual(['delete web']);
    expect(await instance('site')).toMatchObject({ phase: 'Deleted' });
    expect(await instance('app')).toMatchObject({ phase: 'Deleted' });
    expect(await run('site', 'uninstall', { recursive: true })).toMatchObject({ kept: '/data/instances/.uninstalled/site' });
    expect(disk.archived).toEqual(['app', 'site']);
    expect(await store.get(ref('serviceinstances', 'app'))).toBeUndefined();
  });

  it('say which task failed where one that goes before them could not be taken down', async () => {
    const { machines, daemon, put, instance } = await fresh(SITE);
    await put(APP);
    const { run, ask } = await daemon();
    await run('site', 'converge');
    await run('app', 'converge');
    machines.fails = (what) => (what === 'delete web' ? { outcome: 'failed', exitStatus: 3 } : undefined);
    for (const what of ['delete', 'uninstall']) {
      const error = await refusal(ask('site', what, { recursive: true }));
      expect(error).toMatchObject({ code: 'TASK_FAILED', exitStatus: 20, details: { task: (await instance('app')).task } });
    }
    expect(await instance('site')).toMatchObject({ phase: 'Ready' });
  });
});
