/** Staging, rights, and invalid requests. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Decide } from '../../../../daemon/src/catalog/model/ports.ts';
import type { ServiceEdit } from '../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import { NODE, OPERATOR, ref, refusal } from '../../model/fixtures.ts';
import { type Bench, bench, type DaemonOptions, type DaemonUnderTest, service } from './bench.ts';

const OPS: Principal = { type: 'user', home: 'self', name: 'ops', uid: 'u1', display: 'ops@node0' };
/** What a file says where it takes from its target. */
const TARGET_LABEL = ['$', '{target.label}'].join('');
const REQUEST = { module: 'acme/web', assembly: 'tier' };

let made: Bench[] = [];
afterEach(async () => {
  for (const one of made) await one.close();
  made = [];
});

async function fresh(options: DaemonOptions = {}): Promise<Bench & { now: DaemonUnderTest }> {
  const one = await bench([NODE]);
  made.push(one);
  return Object.assign(one, { now: await one.daemon(options) });
}

async function stage({ now }: { now: DaemonUnderTest }, body: object, principal: Principal = OPERATOR): Promise<Record<string, unknown>> {
  const action = now.part.actions.get('stage');
  const signal = new AbortController().signal;
  return Object(await action?.({ principal, name: 'stage', rest: [], method: 'POST', query: new URLSearchParams(), body, signal }));
}

/** Allows but what is named: `CREATE serviceinstances shop`. */
const but =
  (...denied: string[]): Decide =>
  (_principal, { verb, plural, name }) =>
    denied.includes(`${verb} ${plural} ${name}`) ? { allowed: false, reason: 'you may not' } : { allowed: true };

/** The same, each in words of its own. */
const named =
  (denied: readonly string[]): Decide =>
  (_principal, { verb, plural, name }) =>
    denied.includes(`${verb} ${plural} ${name}`) ? { allowed: false, reason: `no ${verb} ${plural} ${name}` } : { allowed: true };

describe('staging', () => {
  it('makes the object of who asks, and says what is to be set', async () => {
    const all = await fresh();
    const { instance, notes } = await stage(all, { ...REQUEST, name: 'shop' }, OPS);
    expect(instance).toMatchObject({
      kind: 'ServiceInstance',
      metadata: { name: 'shop', namespace: NODE, annotations: { 'dtkd.dev/creator': 'ops/u1@self' } },
      spec: { module: 'acme/web', assembly: 'tier', directory: '/data/instances/shop' },
      status: { phase: 'Staged', head: all.disk.repositories.get('shop')?.commits[0]?.id },
    });
    expect(notes).toEqual(['to be set before it can be converged: dtkd service set shop size=…']);
    expect((await refusal(stage(all, { ...REQUEST, name: 'shop' }))).code).toBe('ALREADY_EXISTS');
  });

  it('can be tried', async () => {
    const all = await fresh();
    expect(await stage(all, { ...REQUEST, dryRun: true })).toMatchObject({ instance: { metadata: { name: 'tier' } } });
    expect(all.disk.repositories.size).toBe(0);
  });

  it('needs the right, for the name that it comes to', async () => {
    for (const denied of ['shop', 'tier']) {
      const all = await fresh({ decide: but(`CREATE serviceinstances ${denied}`) });
      const error = await refusal(stage(all, denied === 'shop' ? { ...REQUEST, name: 'shop' } : REQUEST, OPS));
      expect(error.code).toBe('FORBIDDEN');
      expect(all.disk.repositories.size).toBe(0);
    }
  });

  it('takes the default target of the kind that is needed, if whoever asks may see it', async () => {
    const all = await fresh({ decide: but('READ serviceinstances hidden') });
    for (const [name, kind] of [
      ['site', 'hosts'],
      ['cloud', 'cloud'],
      ['hidden', 'hosts'],
    ] as const) {
      await all.put(service(name, { role: 'target', kind, offers: {} }));
    }
    all.assembly = { 'target-kind': 'hosts' };
    expect(await stage(all, { ...REQUEST, name: 'first' })).not.toMatchObject({ instance: { spec: { target: expect.anything() } } });
    for (const name of ['site', 'cloud']) await all.now.ask(name, 'default-target', { default: true });
    expect(await stage(all, { ...REQUEST, name: 'second' })).toMatchObject({
      instance: { spec: { target: 'site' } },
      notes: [expect.stringContaining('its target is site'), expect.anything()],
    });
    // one of each kind
    await all.now.ask('hidden', 'default-target', { default: true });
    expect(await stage(all, { ...REQUEST, name: 'third' })).toMatchObject({ instance: { spec: { target: 'hidden' } } });
    expect(await stage(all, { ...REQUEST, name: 'fourth' }, OPS)).not.toMatchObject({ instance: { spec: { target: expect.anything() } } });
    expect((await refusal(all.now.ask('first', 'default-target', { default: true }))).message).toContain('is not a target');
    expect((await refusal(stage(all, { ...REQUEST, target: 'hidden' }, OPS))).code).toBe('NOT_FOUND');
    expect((await refusal(stage(all, { ...REQUEST, target: 'first' }))).code).toBe('INVALID');
  });
});

describe('an edit', () => {
  it('may name a target that is not there yet, which is told at once', async () => {
    const { now, put, disk } = await fresh({ decide: but('READ serviceinstances hidden') });
    await put(service('app', { 'target-kind': 'hosts', components: { web: { type: 'WebServer' } } }));
    await put(service('plain', {}));
    for (const [name, kind] of Object.entries({ site: 'hosts', hidden: 'hosts', cloud: 'cloud' })) {
      await put(service(name, { role: 'target', kind, offers: {} }));
    }
    const edit = (...edits: ServiceEdit[]) => now.ask('app', 'edit', { edits }, OPS);
    const set = async (target: string) => (await edit({ op: 'set', path: 'target', value: target }))['notes'];
    const next = 'before app can be converged: ';
    expect(await set('siet')).toEqual([`there is no service siet on this node; ${next}stage it, or: dtkd service set app target=NAME`]);
    expect(disk.repositories.get('app')?.work).toMatchObject({ target: 'siet' });
    expect(await set('hidden')).toEqual([expect.stringMatching(/^there is no service hidden on this node; /)]);
    expect(await set('plain')).toEqual([expect.stringMatching(/^the service plain is not a target: .*dtkd service set app target=NAME$/)]);
    expect(await set('cloud')).toEqual([expect.stringMatching(/^it needs a target of kind hosts, and cloud is of kind cloud; /)]);
    expect(await set('site')).toEqual([`the target site is Staged; ${next}dtkd converge site`]);
    expect((await edit({ op: 'unset', path: 'target' }))['notes']).toEqual([expect.stringMatching(/^it needs a target of kind hosts, /)]);
    await now.run('site', 'converge');
    expect(await set('site')).toBeUndefined();
    // of what was not touched nothing is said
    await set('siet');
    expect(await edit({ op: 'set', path: 'web.port', value: 81 })).not.toHaveProperty('notes');
  });
});

describe('the default target', () => {
  it('is not taken from who made another one that', async () => {
    const all = await fresh({ decide: but('MANAGE serviceinstances site') });
    for (const name of ['site', 'mine']) await all.put(service(name, { role: 'target', kind: 'hosts', offers: {} }));
    await all.now.ask('mine', 'default-target', { default: true }, OPS);
    await all.now.ask('site', 'default-target', { default: true });
    expect((await refusal(all.now.ask('mine', 'default-target', { default: true }, OPS))).code).toBe('FORBIDDEN');
    const label = async (name: string) =>
      (await all.store.get(ref('serviceinstances', name)))?.metadata.labels?.['dtkd.dev/default-target'];
    expect([await label('site'), await label('mine')]).toEqual(['true', undefined]);
  });
});

describe('whoever asks', () => {
  const FILE = service('shop', { components: { db: { type: 'Database' }, web: { type: 'WebServer' } } });

  /** Refused with these violations, and nothing is committed, published or written. */
  const expectRefused = async (all: Bench & { now: DaemonUnderTest }, what: string, violations: [where: string, message: string][]) => {
    const standing = () => structuredClone([all.store.version(), all.disk.repositories.get('shop'), all.published]);
    const before = standing();
    const error = await refusal(all.now.ask('shop', what, {}, OPS));
    expect(error.code).toBe('VIOLATIONS');
    const found = violations.map(([where, message]) => ({ kind: 'NOT_ALLOWED', where: expect.stringContaining(where), message }));
    expect(Object(error.details)['violations']).toMatchObject(found);
    expect(standing()).toEqual(before);
  };

  it('is judged on all that is made before anything is committed', async () => {
    const denied = ['CREATE models shop', 'CREATE types shop.webserver', 'CREATE resources shop.web', 'CREATE services shop-front'];
    const apps = { front: { component: 'web', domains: ['a'] } };
    const all = await fresh({ decide: named(denied) });
    await all.put(FILE);
    all.edit('shop', { ...FILE, apps });
    for (const what of ['plan', 'converge']) {
      await expectRefused(all, what, [
        ['name', 'no CREATE models shop'],
        ['web', 'no CREATE resources shop.web'],
        ['acme/web types.WebServer', 'no CREATE types shop.webserver'],
        ['apps.front', 'no CREATE services shop-front'],
      ]);
    }
    expect(await all.now.ask('shop', 'state', {}, OPS)).toMatchObject({ violations: [], phase: 'Staged' });
    expect(await all.now.ask('shop', 'plan')).toMatchObject({ steps: expect.arrayContaining([expect.anything()]) });
  });

  it('who may only look gets the plan of who may more', async () => {
    const all = await fresh({ decide: but('CREATE models shop', 'EXECUTE serviceinstances shop') });
    await all.put(FILE);
    expect(await all.now.ask('shop', 'plan', {}, OPS)).toMatchObject({ steps: expect.arrayContaining([expect.anything()]) });
  });

  it('is judged on what is changed and what goes, too', async () => {
    const denied: string[] = [];
    const all = await fresh({ decide: named(denied) });
    await all.put(FILE);
    await all.now.run('shop', 'converge', {}, OPS);
    denied.push('DELETE resources shop.web', 'UPDATE resources shop.db', 'UPDATE types shop.webserver');
    // what is as it should be needs no right
    await all.now.run('shop', 'converge', {}, OPS);
    all.edit('shop', service('shop', { components: { db: { type: 'Database', properties: { name: 'orders' } } } }));
    for (const what of ['plan', 'converge']) {
      await expectRefused(all, what, [
        ['db', 'no UPDATE resources shop.db'],
        ['web', 'no DELETE resources shop.web'],
      ]);
    }
    expect((await refusal(all.now.ask('shop', 'delete', {}, OPS))).code).toBe('FORBIDDEN');
    expect(all.machines.site.size).toBe(2);
    expect(await all.instance('shop')).toMatchObject({ phase: 'Ready' });
  });

  it('is judged on what is abandoned as on what is taken down', async () => {
    const all = await fresh({ decide: but('DELETE resources shop.web') });
    await all.put(FILE);
    await all.now.run('shop', 'converge', {}, OPS);
    expect((await refusal(all.now.ask('shop', 'uninstall', { abandon: true }, OPS))).code).toBe('FORBIDDEN');
    expect(all.disk.archived).toEqual([]);
    expect(await all.store.get(ref('resources', 'shop.web'))).toBeDefined();
    await all.now.ask('shop', 'uninstall', { abandon: true });
    expect(await all.store.get(ref('resources', 'shop.web'))).toBeUndefined();
  });

  it('takes nothing from services that they may not read', async () => {
    const site = service('site', { role: 'target', kind: 'hosts', offers: { label: 'of the site' } });
    const store = service('store', { components: { db: { type: 'Database', properties: { name: 'orders' } } } });
    const all = await fresh({ decide: (who, asked) => but('READ serviceinstances site', 'READ serviceinstances store')(who, asked) });
    for (const one of [site, store]) {
      await all.put(one);
      await all.now.run(one.name, 'converge');
    }
    for (const [name, file] of [
      ['one', { target: 'site', components: { web: { type: 'WebServer', properties: { note: TARGET_LABEL } } } }],
      ['two', { components: { web: { type: 'WebServer', links: { db: 'store/db' } } } }],
    ] as const) {
      await all.put(service(name, file));
      for (const what of ['plan', 'converge']) {
        const error = await refusal(all.now.ask(name, what, {}, OPS));
        expect(error.code).toBe('VIOLATIONS');
        expect(JSON.stringify(error)).not.toMatch(/of the site|orders/);
      }
      const state = await all.now.ask(name, 'state', {}, OPS);
      expect(state['violations']).toMatchObject([{ message: expect.stringContaining('there is no service') }]);
      expect(JSON.stringify(state)).not.toMatch(/of the site|orders/);
      expect(await all.now.ask(name, 'plan')).toMatchObject({ steps: expect.arrayContaining([]) });
    }
  });

  it('has the right of the method, where one path has several', async () => {
    const all = await fresh({ decide: but('UPDATE serviceinstances shop') });
    await all.put(FILE);
    for (const what of ['file', 'modules']) expect((await refusal(all.now.ask('shop', what, {}, OPS))).code).toBe('FORBIDDEN');
    const verbs = new Map([...all.now.part.subresources].map(([path, { verb }]) => [path, verb]));
    expect(Object.fromEntries(verbs)).toMatchObject({
      'dtkd.dev/serviceinstances/plan': 'READ',
      'dtkd.dev/serviceinstances/edit': 'UPDATE',
      'dtkd.dev/serviceinstances/converge': 'EXECUTE',
      'dtkd.dev/serviceinstances/uninstall': 'DELETE',
      'dtkd.dev/serviceinstances/default-target': 'MANAGE',
      'dtkd.dev/tasks/follow': 'READ',
      'dtkd.dev/tasks/cancel': 'EXECUTE',
    });
  });

  it('is not who made the service: its tasks say who that is', async () => {
    const all = await fresh();
    await stage(all, { ...REQUEST, name: 'shop' }, OPS);
    all.edit('shop', FILE);
    const { task } = await all.now.run('shop', 'converge');
    expect((await all.store.get(ref('tasks', String(task))))?.metadata.annotations).toEqual({ 'dtkd.dev/instance-creator': 'ops/u1@self' });
  });

  it('gets the file as they may have it', async () => {
    const all = await fresh({ decide: but('UPDATE serviceinstances shop') });
    await all.put(FILE);
    const { files } = all.now.ports;
    const asked: unknown[] = [];
    files.content = async (_name, options) => {
      asked.push(options?.masked);
      return { content: '', base: '', types: undefined };
    };
    const file = all.now.part.subresources.get('dtkd.dev/serviceinstances/file');
    for (const principal of [OPS, OPERATOR]) {
      const signal = new AbortController().signal;
      await file?.({ principal, name: 'shop', rest: [], method: 'GET', query: new URLSearchParams(), body: undefined, signal });
    }
    expect(asked).toEqual([true, false]);
  });

  it('for nonsense is told so', async () => {
    const all = await fresh();
    await all.put(FILE);
    const { ask } = all.now;
    for (const [what, body] of [
      ['converge', { threads: 0 }],
      ['converge', { unknown: true }],
      ['converge', []],
      ['rollback', {}],
      ['rollback', { to: '../../etc' }],
      ['exec', {}],
      ['exec', { component: 'web', command: 'x', workflow: 'y' }],
      ['exec', { component: 'web' }],
      ['edit', { edits: [] }],
      ['modules', { op: 'steal', module: 'acme/web' }],
      ['diff?from=HEAD;rm', {}],
      ['log?limit=1e9', {}],
    ] as const) {
      expect((await refusal(ask('shop', what, body))).code, what).toBe('BAD_REQUEST');
    }
    for (const [what, body] of [
      ['rollback', { to: 'nosuch' }],
      ['diff?from=nosuch', {}],
      ['log?from=nosuch', {}],
    ] as const) {
      expect(await refusal(ask('shop', what, body)), what).toMatchObject({
        code: 'BAD_REQUEST',
        message: '"nosuch" is not a commit',
        next: 'Name one such as 1f3a9c2, HEAD~2 or applied: dtkd service log shop lists them.',
      });
    }
    for (const what of ['converge', 'state', 'rollback', 'file', 'edit', 'modules']) {
      expect(await refusal(ask('none', what)), what).toMatchObject({ code: 'NOT_FOUND', message: `there is no service "none" on ${NODE}` });
    }
    expect((await refusal(ask('shop', 'exec', { component: 'web', command: 'restart' }))).code).toBe('CONFLICT');
  });
});

describe('a daemon that starts', () => {
  it('puts repositories aside that are of no service', async () => {
    const all = await fresh();
    await stage(all, { ...REQUEST, name: 'shop' });
    await all.store.transact((tx) => tx.delete(ref('serviceinstances', 'shop')));
    await all.daemon();
    expect(all.disk.archived).toEqual(['shop']);
  });

  it('moves the branch that says what is applied to where an earlier one did not come to it', async () => {
    const all = await fresh();
    await all.put(service('shop', { components: { mark: { type: 'Plain', properties: { text: 'x' } } } }));
    await all.now.run('shop', 'converge');
    const repository = all.disk.repositories.get('shop');
    if (repository === undefined) throw new Error('it is gone');
    const { applied } = repository;
    repository.applied = undefined;
    await all.daemon();
    expect([repository.applied, applied]).toEqual([applied, (await all.instance('shop')).applied]);
    const { now } = all;
    await now.run('shop', 'delete');
    repository.applied = applied;
    await all.daemon();
    expect(repository.applied).toBeUndefined();
  });
});
