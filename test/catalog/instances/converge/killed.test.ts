/** A daemon that dies between any two things that last, and its successor: in the end everything is as if nothing had happened, and nothing was done twice. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceFile } from '../../../../protocol/definitions/service-file.ts';
import { NODE } from '../../model/fixtures.ts';
import { type Bench, bench, service } from './bench.ts';

const DB = { type: 'Database', properties: { name: 'orders' } };
const WEB = { type: 'WebServer', on: { nodes: 'name=node1,node2', count: 2 }, links: { db: 'db' } };
const BEFORE = service('shop', {
  components: { db: DB, web: WEB, old: { type: 'WebServer', on: 'node1' }, plain: { type: 'Plain' } },
  apps: { front: { component: 'web', domains: ['a'] }, old: { component: 'old', domains: ['a'] } },
});
/** Something changed, something new, something gone, something elsewhere, and an app that follows. */
const AFTER = service('shop', {
  components: {
    db: { ...DB, on: 'node2' },
    web: { ...WEB, properties: { port: 8080 } },
    cache: { type: 'Database', on: 'node1' },
  },
  apps: { front: { component: 'web', domains: ['a'] } },
});

interface Story {
  /** The state in which the daemon that dies begins. */
  prepare(made: Bench): Promise<void>;
  /** What is asked of it, and of its successors until it is done. */
  what: 'converge' | 'delete';
  phase: 'Ready' | 'Deleted';
}

const bringUp = (file: ServiceFile) => async (made: Bench) => {
  await made.put(file);
  await (await made.daemon()).run('shop', 'converge');
};
const STORIES: Record<string, Story> = {
  'the first converge': { prepare: (made) => made.put(BEFORE), what: 'converge', phase: 'Ready' },
  'a converge of many changes': {
    prepare: async (made) => {
      await bringUp(BEFORE)(made);
      made.edit('shop', AFTER);
    },
    what: 'converge',
    phase: 'Ready',
  },
  'a deletion': { prepare: bringUp(BEFORE), what: 'delete', phase: 'Deleted' },
};

/** Asks until it is done; each life but the last ends by itself. Gives how many durable steps the first life made. */
async function live(made: Bench, { what, phase }: Story, lives: readonly number[]): Promise<number> {
  let first = 0;
  for (const [index, lasts] of [...lives, Number.POSITIVE_INFINITY].entries()) {
    const daemon = await made.daemon({ lasts });
    const { life } = daemon;
    const isOver = async () => (await made.instance('shop')).phase === phase;
    const work = async () => {
      // as somebody would who looks at the state
      for (let times = 0; times < 3 && !life.isDead; times++) {
        await daemon.run('shop', what).catch((error: unknown) => {
          throw life.isDead ? new Error('it is dead') : error;
        });
        if (await isOver()) break;
      }
    };
    await Promise.race([work(), life.died.promise]);
    await life.settled();
    if (index === 0) first = life.steps;
  }
  return first;
}

const sorted = (done: readonly string[]) => done.toSorted();

describe.each(Object.entries(STORIES))('a daemon that is killed during %s', (_name, story) => {
  let known: Promise<{ outcome: unknown; done: readonly string[]; steps: number }> | undefined;
  const undisturbed = () => {
    known ??= alone();
    return known;
  };
  async function alone(): Promise<{ outcome: unknown; done: readonly string[]; steps: number }> {
    const made = await bench();
    await story.prepare(made);
    made.machines.done.length = 0;
    const steps = await live(made, story, []);
    const seen = { outcome: await made.outcome('shop'), done: sorted(made.machines.done), steps };
    await made.close();
    return seen;
  }

  async function disturbed(lives: readonly number[], turns: (command: string) => number): Promise<void> {
    const expected = await undisturbed();
    const made = await bench();
    await story.prepare(made);
    made.machines.done.length = 0;
    made.machines.turns = turns;
    await live(made, story, lives);
    expect(made.machines.clashes, `lives ${lives}`).toEqual([]);
    expect(sorted(made.machines.done), `lives ${lives}`).toEqual(expected.done);
    expect(await made.outcome('shop'), `lives ${lives}`).toEqual(expected.outcome);
    await made.close();
  }

  it('at each point in turn, leaves nothing to be done twice and nothing undone', async () => {
    const { steps } = await undisturbed();
    expect(steps).toBeGreaterThan(20);
    for (let at = 1; at <= steps; at++) await disturbed([at], () => 1);
  });

  it('while commands take longer than daemons live', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 4 }), fc.integer({ min: 0, max: 400 }), (lives, turns) =>
        disturbed(lives, (command) => (command.length * 37 + turns) % 400),
      ),
      { numRuns: 25 },
    );
  });
});

describe('a daemon that ends while a command runs', () => {
  it('tells the task as failed, and the next converge waits for the command that runs', async () => {
    const made = await bench([NODE]);
    await made.put(service('shop', { components: { db: { type: 'Database' } } }));
    const { machines, instance, store } = made;
    machines.turns = () => Number.POSITIVE_INFINITY;
    const first = await made.daemon();
    await first.ask('shop', 'converge');
    while (machines.executions.size === 0) await new Promise((resolve) => setImmediate(resolve));
    await first.part.stop();
    const second = await made.daemon();
    const task = await store.get({ group: 'dtkd.dev', plural: 'tasks', namespace: NODE, name: 'shop-1' });
    expect(task?.['status']).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('dtkd converge shop goes on'),
      steps: [{ state: 'failed', execution: machines.executions.keys().next().value }],
    });
    expect(await instance('shop')).toMatchObject({ phase: 'Failed' });
    const answer = second.run('shop', 'converge');
    while ((await instance('shop')).phase !== 'Converging') await new Promise((resolve) => setImmediate(resolve));
    expect(machines.executions.size).toBe(1);
    for (const id of machines.executions.keys()) machines.end(id, {});
    expect(await answer).toMatchObject({ task: 'shop-2' });
    expect(machines.done).toEqual(['create db']);
    expect(await instance('shop')).toMatchObject({ phase: 'Ready' });
    await made.close();
  });
});
