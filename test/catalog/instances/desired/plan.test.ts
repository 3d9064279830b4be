// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of services, which the tested code fills in.
import { describe, expect, it } from 'vitest';
import { planConverge } from '../../../../daemon/src/catalog/instances/desired/plan/plan-converge.ts';
import { planDelete } from '../../../../daemon/src/catalog/instances/desired/plan/plan-delete.ts';
import { planAction, planCheck, planWorkflow } from '../../../../daemon/src/catalog/instances/desired/plan/running.ts';
import type { AppliedResource } from '../../../../daemon/src/catalog/instances/instances.types.ts';
import { appliedOf, desiredOf, filesOf, linesOf, rowOf, WEB, world } from './fixtures.ts';

const web = (count: number, more: object = {}) => ({ type: 'Server', on: { nodes: 'tags=web', count, together: true }, ...more });
const tier = (more: object = {}) => ({ components: { web: web(2, { links: { db: 'db' } }), db: { type: 'Database' } }, ...more });
const shop = (body: object, options = {}) => desiredOf(filesOf(body, WEB), world(options));
const none = new Map<string, AppliedResource>();

describe('the plan of a converge', () => {
  it('brings up what is needed first, and level by level what needs it', async () => {
    const desired = await shop(tier());
    const plan = planConverge(desired, none);
    expect(linesOf(plan)).toEqual(['1 create db@node1', '2 Create web', '2.1 create web-1@node2 [1]', '2.2 create web-2@node3 [1]']);
    expect(plan).toMatchObject({
      threads: 16,
      unchanged: 0,
      acts: new Map([
        ['web-1', 'create'],
        ['web-2', 'create'],
        ['db', 'create'],
      ]),
    });
    expect(plan.differences).toEqual([
      { kind: 'component', what: 'web', op: 'added', after: 'Server' },
      { kind: 'component', what: 'db', op: 'added', after: 'Database' },
    ]);
  });

  it('is empty where everything is as it should be', async () => {
    const desired = await shop(tier());
    expect(planConverge(desired, appliedOf(desired))).toMatchObject({ steps: [], unchanged: 3, acts: new Map(), differences: [] });
  });

  it('brings back what drifted', async () => {
    const desired = await shop(tier());
    const applied = appliedOf(desired);
    const row = applied.get('web-1');
    if (row === undefined) throw new Error('web-1 is expected');
    applied.set('web-1', { ...row, check: { ok: false, at: 1 } });
    expect(linesOf(planConverge(desired, applied))).toEqual(['1 converge web-1@node2']);
    applied.set('web-1', { ...row, check: { ok: true, at: 2 } });
    expect(linesOf(planConverge(desired, applied))).toEqual([]);
  });

  it('converges what changed, creates what has no converge, and waits through what did not change', async () => {
    const applied = appliedOf(await shop(tier()));
    const components = {
      web: web(2, { links: { db: 'db' }, properties: { tier: 'gold' } }),
      db: { type: 'Database', properties: { size: 2 } },
      cache: { type: 'Service', after: ['web'] },
    };
    const plan = planConverge(await shop({ components }), applied);
    expect(linesOf(plan)).toEqual([
      '1 create db@node1',
      '2 Converge web',
      '2.1 converge web-1@node2 [1]',
      '2.2 converge web-2@node3 [1]',
      '3 - cache@node1 [2.1 2.2]',
    ]);
    expect(plan.differences).toEqual([
      { kind: 'property', what: 'web.tier', op: 'added', after: 'gold' },
      { kind: 'property', what: 'db.size', op: 'added', after: 2 },
      { kind: 'component', what: 'cache', op: 'added', after: 'Service' },
    ]);
    const others = { web: components.web, db: { type: 'Database' }, cache: components.cache };
    expect(
      linesOf(
        planConverge(await shop({ components: { ...others, db: { type: 'Database', properties: { port: 1 }, after: [] } } }), applied),
      ).at(-1),
    ).toContain('[2.1 2.2]');
  });

  it('goes on with what was begun and did not end well', async () => {
    const desired = await shop(tier());
    const applied = appliedOf(desired);
    for (const [name, more] of [
      ['web-1', { digest: undefined }],
      ['web-2', { digest: undefined, created: false }],
    ] as const) {
      const resource = desired.resources.get(name);
      if (resource !== undefined) applied.set(name, rowOf(resource, more));
    }
    expect(linesOf(planConverge(desired, applied))).toEqual(['1 Bring up web', '1.1 converge web-1@node2', '1.2 create web-2@node3']);
  });

  it('takes down what is not wanted any more after the rest, those that need others first', async () => {
    const applied = appliedOf(await shop(tier()));
    const plan = planConverge(await shop({ components: { other: { type: 'Service' } } }), applied);
    expect(linesOf(plan)).toEqual([
      '1 - other@node1',
      '2 Take down web',
      '2.1 delete web-1@node2 [1]',
      '2.2 delete web-2@node3 [1]',
      '3 delete db@node1 [1 2.1 2.2]',
    ]);
    expect(plan.differences.map(({ what, op }) => `${what} ${op}`)).toEqual(['other added', 'web removed', 'db removed']);
  });

  it('takes down first what moves, becomes something else, or listens where another is to', async () => {
    const applied = appliedOf(
      await shop({ components: { web: web(1), old: { type: 'Server', properties: { port: 81 } }, db: { type: 'Database' } } }),
    );
    const components = { web: web(1), renamed: { type: 'Server', properties: { port: 81 } }, db: { type: 'Server' } };
    const plan = planConverge(await shop({ components }, { nodes: ['node1', 'node3 web'] }), applied, {
      nodes: new Set(['node1', 'node3']),
    });
    expect(linesOf(plan)).toEqual([
      '1 Take down web, old, db',
      '1.1 - web-1@node2',
      '1.2 delete old@node1',
      '1.3 delete db@node1',
      '2 Create web, renamed, db',
      '2.1 create web-1@node3 [1.1]',
      '2.2 create renamed@node1 [1.2]',
      '2.3 create db@node1 [1.3]',
    ]);
    expect(plan.steps[1]?.title).toBe('forget web-1: its node is no longer known');
    expect(plan.differences).toContainEqual({ kind: 'placement', what: 'web-1', op: 'changed', before: 'node2', after: 'node3' });
  });

  it('tells nothing of secrets, and that code changed', async () => {
    const component = (password: string) => ({ components: { db: { type: 'Database', properties: { password } } } });
    const applied = appliedOf(await shop(component('one'), { secrets: ['one'] }));
    expect(planConverge(await shop(component('two'), { secrets: ['two'] }), applied).differences).toEqual([
      { kind: 'property', what: 'db.password', op: 'changed' },
    ]);
    const changed = await desiredOf(filesOf(component('one'), { ...WEB, digest: 'e'.repeat(64) }), world({ secrets: ['one'] }));
    expect(planConverge(changed, applied).differences).toEqual([{ kind: 'type', what: 'Database', op: 'changed' }]);
  });
});

describe('the workflow create', () => {
  it('says the order, as far as needs allow, and what it does not name comes after it', async () => {
    const workflows = {
      create: {
        threads: 3,
        steps: [
          { component: 'web', batch: '1' },
          { component: 'db' },
          { order: 'concurrent', steps: [{ component: 'a' }, { component: 'b' }] },
        ],
      },
    };
    const components = {
      web: web(2, { links: { db: 'db' } }),
      db: { type: 'Database' },
      a: { type: 'Service' },
      b: { type: 'Service' },
      c: { type: 'Service' },
    };
    const plan = planConverge(await shop({ components, workflows }), none);
    expect(linesOf(plan)).toEqual([
      '1 Create',
      '1.1 Bring up web',
      '1.1.1 create web-1@node2 [1.2]',
      '1.1.2 create web-2@node3 [1.1.1 1.2]',
      '1.2 create db@node1',
      '1.3 Steps',
      '1.3.1 - a@node1 [1.2]',
      '1.3.2 - b@node1 [1.2]',
      '2 - c@node1 [1.3.1 1.3.2]',
    ]);
    expect(plan.threads).toBe(3);
  });

  it('runs commands of what is touched: before only on what is there, after until they ended well', async () => {
    const workflows = {
      create: {
        steps: [
          { component: 'web', command: 'check' },
          { workflow: 'up', timeout: '5s' },
        ],
      },
      up: {
        steps: [
          { component: 'web', 'on-failure': 'ignore', retry: { attempts: 3 } },
          { component: 'web', command: 'restart' },
          { component: 'web', command: 'restart' },
        ],
      },
    };
    const body = { components: { web: web(2) }, workflows };
    const desired = await shop(body);
    const plan = planConverge(desired, none);
    expect(linesOf(plan)).toEqual([
      '1 Create',
      '1.1 Bring up web',
      '1.1.1 create web-1@node2',
      '1.1.2 create web-2@node3',
      '1.2 restart web',
      '1.2.1 restart web-1@node2 [1.1.1 1.1.2]',
      '1.2.2 restart web-2@node3 [1.1.1 1.1.2]',
      '1.3 restart web',
      '1.3.1 restart web-1@node2 [1.1.1 1.2.1 1.2.2]',
      '1.3.2 restart web-2@node3 [1.1.2 1.2.1 1.2.2]',
    ]);
    const work = plan.steps.find(({ work: one }) => one?.resource === 'web-1')?.work;
    expect(work).toMatchObject({
      ignoreFailure: true,
      timeout: '5s',
      retry: { attempts: 3, delayMs: 1_000, backoff: 2 },
      due: ['restart', 'restart#2'],
    });
    expect(plan.steps.flatMap(({ work: one }) => one?.settles ?? [])).toEqual(['restart', 'restart', 'restart#2', 'restart#2']);
    const applied = appliedOf(desired);
    const resource = desired.resources.get('web-2');
    if (resource !== undefined) applied.set('web-2', rowOf(resource, { due: ['restart#2'] }));
    expect(linesOf(planConverge(desired, applied))).toEqual(['1 restart web-2@node3']);
    const changed = await shop({ ...body, components: { web: web(1, { properties: { tier: 'gold' } }) } });
    expect(linesOf(planConverge(changed, appliedOf(changed)))).toEqual([]);
    const later = planConverge(changed, new Map([...applied].filter(([name]) => name === 'web-1')));
    expect(linesOf(later).slice(1)).toEqual([
      '1.1 check web-1@node2',
      '1.2 up',
      '1.2.1 converge web-1@node2 [1.1]',
      '1.2.2 restart web-1@node2 [1.2.1]',
      '1.2.3 restart web-1@node2 [1.2.1 1.2.2]',
    ]);
  });

  it('brings up what it only has commands of just before the first', async () => {
    const desired = await shop({
      components: { web: web(1) },
      workflows: { create: { steps: [{ component: 'web', command: 'restart' }] } },
    });
    expect(linesOf(planConverge(desired, none)).slice(1)).toEqual(['1.1 create web-1@node2', '1.2 restart web-1@node2 [1.1]']);
  });
});

describe('the plan of a deletion', () => {
  it('goes the other way', async () => {
    const applied = appliedOf(await shop(tier()));
    expect(linesOf(planDelete(applied))).toEqual([
      '1 Take down web',
      '1.1 delete web-1@node2',
      '1.2 delete web-2@node3',
      '2 delete db@node1 [1.1 1.2]',
    ]);
  });

  it('follows the workflow, and takes down the rest after it', async () => {
    const applied = appliedOf(await shop(tier({ components: { ...tier().components, other: { type: 'Service' } } })));
    const workflow = {
      steps: [{ component: 'web', command: 'check' }, { component: 'web-2' }, { component: 'web' }, { component: 'web', command: 'check' }],
    };
    expect(linesOf(planDelete(applied, workflow, { nodes: new Set(['node1', 'node2']) }))).toEqual([
      '1 Delete',
      '1.1 check web-1@node2',
      '1.2 - web-2@node3 [1.1]',
      '1.3 delete web-1@node2 [1.1 1.2]',
      '2 Take down db, other',
      '2.1 delete db@node1 [1.2 1.3]',
      '2.2 - other@node1 [1.3]',
    ]);
  });
});

describe('commands on what is applied', () => {
  it('are run in batches, on a component or one resource', async () => {
    const applied = appliedOf(await shop({ components: { web: web(5) } }));
    expect(linesOf(planAction(applied, 'web', 'restart', {}, { batch: '25%' }))).toEqual([
      '1 restart web',
      '1.1 Batch 1 of 3',
      '1.1.1 restart web-1@node2',
      '1.1.2 restart web-2@node3',
      '1.2 Batch 2 of 3',
      '1.2.1 restart web-3@node2 [1.1.1 1.1.2]',
      '1.2.2 restart web-4@node3 [1.1.1 1.1.2]',
      '1.3 restart web-5@node2 [1.2.1 1.2.2]',
    ]);
    const one = planAction(applied, 'web-3', 'restart', { hard: 'yes' });
    expect(one.steps).toMatchObject([{ number: '1', work: { resource: 'web-3', act: 'run', options: { hard: 'yes' } } }]);
    expect(() => planAction(applied, 'wbe', 'restart')).toThrow('nothing with the name wbe is applied');
    expect(() => planAction(applied, 'web', 'hidden')).toThrow('has no command hidden');
    expect(() => planAction(applied, 'web', 'delete')).toThrow('web cannot be taken down by itself');
    expect(linesOf(planCheck(applied))).toHaveLength(6);
  });

  it('are run by workflows, with their options', async () => {
    const restart = { component: 'web', command: 'restart', order: 'sequential' as const, options: { what: 'x-${options.to}-$${y}' } };
    const written = { roll: { options: { to: { required: true, allowed: ['a', 'b'] } }, steps: [restart, { component: 'web' }] } };
    const applied = appliedOf(await shop({ components: { web: web(2) } }));
    const plan = planWorkflow(applied, written, 'roll', { to: 'a' });
    expect(linesOf(plan)).toEqual([
      '1 roll',
      '1.1 restart web',
      '1.1.1 restart web-1@node2',
      '1.1.2 restart web-2@node3 [1.1.1]',
      '1.2 Bring up web',
      '1.2.1 converge web-1@node2 [1.1.2]',
      '1.2.2 converge web-2@node3 [1.1.2]',
    ]);
    expect(plan.steps[2]?.work).toMatchObject({ act: 'run', options: { what: 'x-a-${y}' } });
    expect(() => planWorkflow(applied, written, 'roll', { to: 'c', x: '1' })).toThrow(
      /there is no option "x"; the option "to" must be one of/,
    );
    expect(() => planWorkflow(applied, written, 'roll', { too: 'a' })).toThrow(
      'there is no option "too" (did you mean "to"?); the option "to" (string) is missing',
    );
    expect(() => planWorkflow(applied, written, 'rol')).toThrow('there is no workflow rol');
    expect(() => planWorkflow(applied, { create: { steps: [] } }, 'create')).toThrow('cannot be run by itself');
  });
});
