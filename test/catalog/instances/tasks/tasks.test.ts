import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CommandEnd, PlannedStep } from '../../../../daemon/src/catalog/instances/instances.types.ts';
import { appliedOf, putApplied } from '../../../../daemon/src/catalog/instances/tasks/applied-rows.ts';
import type { TaskLine } from '../../../../daemon/src/catalog/instances/tasks/follow.ts';
import { KEEP_TASKS, LATE_OUTPUT_MS, MAX_FOLLOWED_BYTES } from '../../../../daemon/src/catalog/instances/tasks/limits.ts';
import type { TaskToRun } from '../../../../daemon/src/catalog/instances/tasks/tasks.types.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { toTimestamp } from '../../../../protocol/objects/objects.ts';
import { waitFor } from '../../../wait.ts';
import { NODE, OPERATOR, object, ref, refusal, write } from '../../model/fixtures.ts';
import { type Bench, bench, type DaemonUnderTest, service, taskEnd } from '../converge/bench.ts';

let made: Bench[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const one of made) await one.close();
  made = [];
});

/** An instance with one resource on this node, converged. */
async function fresh(): Promise<Bench & { daemonNow: DaemonUnderTest }> {
  const one = await bench([NODE]);
  made.push(one);
  await one.put(service('shop', { components: { db: { type: 'Database' } } }));
  const daemonNow = await one.daemon();
  await daemonNow.run('shop', 'converge');
  one.machines.done.length = 0;
  return { ...one, daemonNow };
}

const work = (more: Partial<NonNullable<PlannedStep['work']>> = {}): NonNullable<PlannedStep['work']> => ({
  resource: 'db',
  node: NODE,
  command: 'restart',
  act: 'run',
  options: {},
  ...more,
});

function task(steps: PlannedStep[], more: Partial<TaskToRun> = {}): TaskToRun {
  return {
    instance: 'shop',
    principal: OPERATOR,
    action: 'exec',
    title: 'try',
    plan: { steps, threads: 4 },
    keepGoing: false,
    goals: new Map(),
    applied: new Map(),
    ...more,
  };
}

const follow = async ({ store, daemonNow }: Bench & { daemonNow: DaemonUnderTest }, name: string, of: 'all' | 'none' = 'all') => {
  const object = await store.get(ref('tasks', name));
  if (object === undefined) throw new Error('there is no such task');
  const lines: TaskLine[] = [];
  for await (const line of daemonNow.ports.tasks.follow(OPERATOR, object, { of, signal: new AbortController().signal })) lines.push(line);
  return lines;
};

describe('a step', () => {
  it('is tried again as its workflow says', async () => {
    const { machines, daemonNow } = await fresh();
    let times = 0;
    machines.fails = () => (++times < 3 ? { outcome: 'failed', exitStatus: 1 } : undefined);
    const retry = { attempts: 3, delayMs: 1, backoff: 2 };
    const { ended } = await daemonNow.ports.tasks.start(task([{ number: '1', title: 'a', after: [], work: work({ retry }) }]));
    expect(await ended).toEqual({ state: 'succeeded', message: undefined });
    expect(times).toBe(3);
  });

  it('gives its place away when it has ended well, and what depends on it waits until that is recorded', async () => {
    const { machines, daemonNow } = await fresh();
    const recorded = Promise.withResolvers<void>();
    machines.stored = (what) => (what.startsWith('restart') ? recorded.promise : Promise.resolve());
    const steps = [
      { number: '1', title: 'a', after: [], work: work() },
      { number: '2', title: 'b', after: ['1'], work: work({ command: 'start' }) },
      { number: '3', title: 'c', after: [], work: work({ command: 'check' }) },
    ];
    const { ended } = await daemonNow.ports.tasks.start(task(steps, { plan: { steps, threads: 1 } }));
    await waitFor(() => machines.done.includes('check db'), { what: 'the other one to have run' });
    expect(machines.done).toEqual(['restart db', 'check db']);
    recorded.resolve();
    expect(await ended).toMatchObject({ state: 'succeeded' });
    expect(machines.done).toEqual(['restart db', 'check db', 'start db']);
    expect(machines.clashes).toEqual([]);
  });

  it('is prepared while others take all places, and not started when the task is cancelled meanwhile', async () => {
    const { machines, daemonNow } = await fresh();
    machines.prepared.length = 0;
    machines.turns = (what) => (what.startsWith('restart') ? Number.POSITIVE_INFINITY : 1);
    const steps = ['restart', 'check'].map((command, at) => ({ number: `${at + 1}`, title: command, after: [], work: work({ command }) }));
    const { name, ended } = await daemonNow.ports.tasks.start(task(steps, { plan: { steps, threads: 1 } }));
    await waitFor(() => machines.prepared.length > 0, { what: 'the next one to be prepared' });
    await daemonNow.ports.tasks.cancel(OPERATOR, name);
    expect(await ended).toMatchObject({ state: 'cancelled' });
    expect(machines.prepared).toEqual(['check db']);
    expect([...machines.executions.values()].filter(({ command }) => command === 'check')).toEqual([]);
  });

  it('that failed lets no other one be started in its place', async () => {
    const { machines, daemonNow } = await fresh();
    machines.fails = (what) => (what.startsWith('restart') ? { outcome: 'failed', exitStatus: 1 } : undefined);
    const steps = ['restart', 'check'].map((command, at) => ({ number: `${at + 1}`, title: command, after: [], work: work({ command }) }));
    const { ended } = await daemonNow.ports.tasks.start(task(steps, { plan: { steps, threads: 1 } }));
    expect(await ended).toMatchObject({ state: 'failed' });
    expect(machines.done).toEqual([]);
    expect(machines.executions.size).toBe(2);
  });

  it('that may fail does not keep the next from running', async () => {
    const { machines, daemonNow } = await fresh();
    machines.fails = (what) => (what.startsWith('restart') ? { outcome: 'failed', exitStatus: 1 } : undefined);
    const { ended } = await daemonNow.ports.tasks.start(
      task([
        { number: '1', title: 'a', after: [], work: work({ ignoreFailure: true }) },
        { number: '2', title: 'b', after: ['1'], work: work({ command: 'check' }) },
      ]),
    );
    expect(await ended).toMatchObject({ state: 'succeeded' });
    expect(machines.done).toEqual(['check db']);
  });

  it('waits while dispatch has no room', async () => {
    const { machines, daemonNow } = await fresh();
    let times = 0;
    machines.refuses = () => (++times < 3 ? new DtkdError('TOO_MANY_REQUESTS', '64 of your executions are running') : undefined);
    const { ended } = await daemonNow.ports.tasks.start(task([{ number: '1', title: 'a', after: [], work: work() }]));
    expect(await ended).toMatchObject({ state: 'succeeded' });
    expect(machines.done).toEqual(['restart db']);
  });

  it('that is refused by planning fails with its code and what to do', async () => {
    const { daemonNow, store } = await fresh();
    const { name, ended } = await daemonNow.ports.tasks.start(
      task([{ number: '1', title: 'a', after: [], work: work({ node: 'node9' }) }]),
    );
    expect(await ended).toMatchObject({ state: 'failed', message: expect.stringContaining('1 a: db is not on node9') });
    const status = Object((await taskEnd(store, name))['status']);
    expect(status.steps[0]).toMatchObject({ state: 'failed', code: 'NOT_DEPLOYED' });
  });

  it('whose end is unknown is looked at again before anything else is started', async () => {
    const { machines, daemonNow, store } = await fresh();
    machines.fails = () => ({ outcome: 'unknown', reason: 'contact was lost' });
    const steps = [{ number: '1', title: 'a', after: [], work: work() }];
    await (await daemonNow.ports.tasks.start(task(steps))).ended;
    expect((await store.kv.page({ gte: 'i/s/', lt: 'i/s0' })).map(([key]) => key)).toEqual(['i/s/shop-2/1']);
    machines.fails = () => undefined;
    // found out since
    for (const one of machines.executions.values())
      if (one.ended?.outcome === 'unknown') one.end.promise = Promise.resolve({ outcome: 'succeeded' });
    expect(await (await daemonNow.ports.tasks.start(task(steps))).ended).toMatchObject({ state: 'succeeded' });
    expect(machines.done).toEqual([]);
    expect(await store.kv.page({ gte: 'i/s/', lt: 'i/s0' })).toEqual([]);
  });

  it('whose end is unknown is not explained by what it wrote, and corrected once it is known', async () => {
    const { machines, daemonNow, store } = await fresh();
    const before = await daemonNow.ports.tasks.applied('shop');
    const [db] = before.values();
    if (db === undefined) throw new Error('it is not applied');
    machines.fails = () => ({ outcome: 'unknown', reason: 'contact was lost' });
    const steps = [{ number: '1', title: 'a', after: [], work: work({ command: 'converge', act: 'converge' }) }];
    const goals = new Map([['db', { ...db, digest: 'new' }]]);
    const { name, ended } = await daemonNow.ports.tasks.start(task(steps, { applied: before, goals }));
    expect(await ended).toMatchObject({ state: 'failed', message: '1 a: unknown: contact was lost' });
    const [lost] = [...machines.executions.values()].filter((one) => one.ended?.outcome === 'unknown');
    if (lost === undefined) throw new Error('nothing is unknown');
    lost.end.promise = Promise.resolve({ outcome: 'succeeded', exitStatus: 0 });
    const execution = { ...object('Execution', lost.id), status: { phase: 'Finished', parts: [] } };
    await waitFor(async () => {
      await write(store, execution);
      return Object((await store.get(ref('tasks', name)))?.['status']).steps[0].state === 'succeeded';
    });
    expect((await store.get(ref('tasks', name)))?.['status']).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('it is known now'),
      steps: [{ state: 'succeeded', exitStatus: 0, execution: lost.id, finishedAt: expect.any(String) }],
    });
    expect((await appliedOf(store.kv, 'shop')).get('db')?.digest).toBe('new');
    expect(await store.kv.page({ gte: 'i/s/', lt: 'i/s0' })).toEqual([]);
  });

  it('of an earlier task is recorded once, also if somebody has looked for long', async () => {
    const { machines, daemonNow, store } = await fresh();
    const applied = await daemonNow.ports.tasks.applied('shop');
    const [db] = applied.values();
    if (db === undefined) throw new Error('it is not applied');
    const change = async (digest: string) => {
      const steps = [{ number: '1', title: 'a', after: [], work: work({ command: 'converge', act: 'converge' }) }];
      const goals = new Map([['db', { ...db, digest }]]);
      return (await daemonNow.ports.tasks.start(task(steps, { applied, goals }))).ended;
    };
    machines.fails = () => ({ outcome: 'unknown', reason: 'contact was lost' });
    await change('first');
    machines.fails = () => undefined;
    const [lost] = [...machines.executions.values()].filter(({ ended }) => ended?.outcome === 'unknown');
    if (lost === undefined) throw new Error('nothing is unknown');
    const found = Promise.withResolvers<CommandEnd>();
    lost.end.promise = found.promise;
    const looking = daemonNow.ports.tasks.applied('shop');
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    lost.end.promise = Promise.resolve({ outcome: 'succeeded' });
    expect(await change('second')).toMatchObject({ state: 'succeeded' });
    found.resolve({ outcome: 'succeeded' });
    expect((await looking).get('db')?.digest).toBe('second');
    expect((await appliedOf(store.kv, 'shop')).get('db')?.digest).toBe('second');
  });
});

describe('commands that end together', () => {
  it('are both known to have run', async () => {
    const { machines, daemonNow, store } = await fresh();
    const [db] = (await daemonNow.ports.tasks.applied('shop')).values();
    if (db === undefined) throw new Error('it is not applied');
    await store.transact(async (tx) => putApplied(tx, 'shop', { ...db, due: ['restart', 'check'] }));
    const stored = Promise.withResolvers<void>();
    machines.stored = () => stored.promise;
    const steps = ['restart', 'check'].map((command, at) => ({
      number: `${at + 1}`,
      title: command,
      after: [],
      work: work({ command, settles: command }),
    }));
    const applied = await daemonNow.ports.tasks.applied('shop');
    const { ended } = await daemonNow.ports.tasks.start(task(steps, { applied }));
    await waitFor(() => machines.done.length === 2, { what: 'both to have run' });
    stored.resolve();
    expect(await ended).toMatchObject({ state: 'succeeded' });
    expect((await appliedOf(store.kv, 'shop')).get('db')?.due).toBeUndefined();
  });

  it('are so where there is nothing to run for them', async () => {
    const { daemonNow, store } = await fresh();
    const [db] = (await daemonNow.ports.tasks.applied('shop')).values();
    if (db === undefined) throw new Error('it is not applied');
    await store.transact(async (tx) => putApplied(tx, 'shop', { ...db, due: ['restart', 'check'] }));
    const steps = ['restart', 'check'].map((settles, at) => ({
      number: `${at + 1}`,
      title: settles,
      after: [],
      work: work({ command: undefined, settles }),
    }));
    const applied = await daemonNow.ports.tasks.applied('shop');
    const { ended } = await daemonNow.ports.tasks.start(task(steps, { applied }));
    expect(await ended).toMatchObject({ state: 'succeeded' });
    expect((await appliedOf(store.kv, 'shop')).get('db')?.due).toBeUndefined();
  });
});

describe('work that is no command', () => {
  it('is a step like any other', async () => {
    const { daemonNow, store } = await fresh();
    const own = new Map([['1', () => Promise.reject(new DtkdError('PEER_AWAY', 'node1 is away', { next: 'Try later' }))]]);
    const { name, ended } = await daemonNow.ports.tasks.start(task([{ number: '1', title: 'app', after: [] }], { own }));
    expect(await ended).toMatchObject({ state: 'failed', message: '1 app: node1 is away. Try later' });
    expect(Object((await taskEnd(store, name))['status']).steps[0]).toMatchObject({ code: 'PEER_AWAY' });
  });

  it('that breaks tells nothing of the inside', async () => {
    const { daemonNow } = await fresh();
    const own = new Map([['1', () => Promise.reject(new TypeError('x is undefined'))]]);
    const { ended } = await daemonNow.ports.tasks.start(task([{ number: '1', title: 'app', after: [] }], { own }));
    expect((await ended)?.message).not.toContain('undefined');
  });
});

describe('a task', () => {
  it('is told to who follows it, with the output of each step before its end', async () => {
    const all = await fresh();
    const { machines, daemonNow } = all;
    machines.turns = () => 5;
    const { name } = await daemonNow.ports.tasks.start(
      task([
        { number: '1', title: 'both', after: [] },
        { number: '1.1', title: 'a', after: [], work: work() },
        { number: '1.2', title: 'b', after: ['1.1'], work: work({ command: 'check' }) },
      ]),
    );
    const lines = await follow(all, name);
    expect(lines[0]).toMatchObject({ type: 'task', state: 'executing', steps: [{}, {}, {}] });
    expect(lines.at(-1)).toEqual({ type: 'end', state: 'succeeded' });
    const told = lines.flatMap((line) =>
      line.type === 'output'
        ? [`${line.number} says ${line.text.trim()}`]
        : line.type === 'step'
          ? [`${Object(line.step).number} ${Object(line.step).state}`]
          : [],
    );
    expect(told.indexOf('1.1 says restart db')).toBeGreaterThanOrEqual(0);
    expect(told.indexOf('1.1 says restart db')).toBeLessThan(told.indexOf('1.1 succeeded'));
    expect(told.indexOf('1.1 succeeded')).toBeLessThan(told.indexOf('1.2 succeeded'));
    // and to who comes when it is over
    const later = await follow(all, name);
    expect(later.map(({ type }) => type).sort()).toEqual(['end', 'output', 'output', 'task']);
    expect((await follow(all, name, 'none')).map(({ type }) => type)).toEqual(['task', 'end']);
  });

  it('says to who follows it of which step there is more output than they get, and how to see it', async () => {
    const all = await fresh();
    const { machines, daemonNow } = all;
    const steps = ['restart', 'check'].map((command, at) => ({ number: `${at + 1}`, title: command, after: [], work: work({ command }) }));
    machines.output = (what) => 'x'.repeat(MAX_FOLLOWED_BYTES + (what.startsWith('restart') ? 1 : 0));
    const { name } = await daemonNow.ports.tasks.start(task(steps));
    const execution = () => [...machines.executions].find(([, { command }]) => command === 'restart')?.[0];
    const cut = () => ({
      type: 'cut',
      number: '1',
      resource: 'db',
      node: NODE,
      execution: execution(),
      next: `dtkd executions follow ${execution()}`,
    });
    const lines = await follow(all, name);
    expect(lines.filter(({ type }) => type === 'cut')).toEqual([cut()]);
    expect(lines.flatMap((line) => (line.type === 'output' ? [line.number] : []))).toEqual(['2']);
    const told = lines.findIndex(
      (line) => line.type === 'step' && Object(line.step).number === '1' && Object(line.step).state === 'succeeded',
    );
    expect(lines.findIndex(({ type }) => type === 'cut')).toBeLessThan(told);
  });

  it('ends for who follows it when they go', async () => {
    const all = await fresh();
    const { machines, daemonNow, store } = all;
    machines.turns = () => Number.POSITIVE_INFINITY;
    const { name, object } = await daemonNow.ports.tasks.start(task([{ number: '1', title: 'a', after: [], work: work() }]));
    const gone = new AbortController();
    const lines: TaskLine[] = [];
    for await (const line of daemonNow.ports.tasks.follow(OPERATOR, object, { of: 'all', signal: gone.signal })) {
      lines.push(line);
      if (line.type === 'output') gone.abort();
    }
    expect(lines.some(({ type }) => type === 'end')).toBe(false);
    await daemonNow.ports.tasks.cancel(OPERATOR, name);
    expect(Object((await taskEnd(store, name))['status'])).toMatchObject({ state: 'cancelled' });
  });

  it('is over for who follows it, whatever becomes of a command that was left to itself', async () => {
    const all = await fresh();
    const { machines, daemonNow } = all;
    machines.turns = () => 2;
    const { name, ended } = await daemonNow.ports.tasks.start(task([{ number: '1', title: 'a', after: [], work: work() }]));
    await ended;
    // its output goes on
    for (const one of machines.executions.values()) one.end.promise = new Promise(() => undefined);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const following = follow(all, name);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(LATE_OUTPUT_MS);
    expect((await following).map(({ type }) => type)).toEqual(['task', 'output', 'end']);
  });

  it('is kept with a hundred of its kind', async () => {
    const { daemonNow, store } = await fresh();
    for (let times = 0; times < 101; times++) await (await daemonNow.ports.tasks.start(task([]))).ended;
    const { items } = await store.list({ group: 'dtkd.dev', plural: 'tasks' });
    expect(items).toHaveLength(100);
    expect(await store.get(ref('tasks', 'shop-102'))).toBeDefined();
    expect(await store.get(ref('tasks', 'shop-2'))).toBeUndefined();
  });

  it('that could not be begun leaves nothing', async () => {
    const { daemonNow, store } = await fresh();
    const begin = () => Promise.reject(new DtkdError('FORBIDDEN', 'not for you'));
    const version = store.version();
    expect((await refusal(daemonNow.ports.tasks.start(task([], { begin })))).code).toBe('FORBIDDEN');
    expect(store.version()).toBe(version);
    expect(daemonNow.ports.tasks.running('shop')).toBeUndefined();
  });

  it('whose end is refused has failed', async () => {
    const { daemonNow } = await fresh();
    let times = 0;
    const finish = async () => {
      times += 1;
      if (times === 1) throw new DtkdError('INVALID', 'the model says no');
    };
    expect(await (await daemonNow.ports.tasks.start(task([], { finish }))).ended).toEqual({
      state: 'failed',
      message: 'the model says no',
    });
  });

  it('runs as many commands at a time as it may', async () => {
    const { machines, daemonNow } = await fresh();
    machines.turns = () => 20;
    const steps = Array.from({ length: 9 }, (_one, index) => ({ number: String(index + 1), title: 'a', after: [], work: work() }));
    await (await daemonNow.ports.tasks.start(task(steps, { plan: { steps, threads: 3 } }))).ended;
    expect(machines.most).toBe(3);
  });

  it('is kept as long as its service, and of services that are gone only the newest are', async () => {
    const { daemonNow, store } = await fresh();
    // long ago
    const earlier = Array.from({ length: KEEP_TASKS + 8 }, (_one, index) => ({
      ...object('Task', `gone-${index}`, { instance: `gone${index % 7}`, action: 'delete', title: 'delete', user: 'operator' }),
      status: { state: 'succeeded', steps: [], startedAt: toTimestamp(index * 1_000) },
    }));
    await write(store, ...earlier);
    const names = async () => {
      const { items } = await store.list({ group: 'dtkd.dev', plural: 'tasks', namespace: NODE });
      return items.map(({ metadata }) => metadata.name);
    };
    await daemonNow.run('shop', 'delete');
    expect(await names()).toHaveLength(earlier.length + 2);
    await daemonNow.run('shop', 'uninstall');
    expect(await names()).toHaveLength(KEEP_TASKS);
    expect(await names()).toEqual(expect.arrayContaining(['shop-1', 'shop-2', 'gone-107', 'gone-10']));
  });
});
