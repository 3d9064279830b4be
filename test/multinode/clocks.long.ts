/** Clocks that are wrong, and that are set while daemons run: what is decided by them, what is told, and that nothing else depends on them. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SiteClock } from '../harness/clock.ts';
import { connected, formDomain, peers } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, known, modelDocument } from '../harness/user.ts';
import { waitFor } from '../wait.ts';
import { deploy, type Field, makeType, mark, marked, ok, openField, partsOf, phaseOf, shell, start } from './dispatch/field.ts';

const stage = useStage();
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Not more: a daemon that starts later makes a certificate that is not valid yet by the clock of this test. */
const MONTH_MS = 30 * DAY_MS;
const YEAR_MS = 365 * DAY_MS;

function clockOf(name: string): SiteClock {
  return new SiteClock(join(stage.current.directory, 'clocks', name));
}

const conditionsOf = async (site: Site): Promise<string> => JSON.stringify(await site.call('/apis/dtkd.dev/v1/daemon/status'));

describe('a clock that is set', () => {
  it('wins nothing by being ahead, loses nothing by being set back, and is told with the grants that count again', async () => {
    const clock = clockOf('two');
    const [one, two] = await Promise.all([stage.current.start({ name: 'one' }), stage.current.start({ name: 'two', env: clock.env })]);
    if (one === undefined || two === undefined) throw new Error('two sites');
    await formDomain('clocks', [one, two]);
    const ops = await addUser(one, 'ops');
    await known(two, 'user', ops.display);
    await two.create(modelDocument('m'));
    await ok(two, 'grant', ops.display, 'READ', '--on', 'model', '--expires', '1h');
    const status = () => ops.statusOf('model', 'm', 'two');
    expect(await status()).toBe(200);

    clock.shift(MONTH_MS);
    expect(await status()).toBe(404);
    await addUser(two, 'ahead');
    await known(one, 'user', 'ahead@two');
    await two.restart();
    await connected(one, 'clocks', [one, two]);
    clock.shift(-MONTH_MS);
    await addUser(two, 'behind');
    await two.delete('user', 'ahead');
    await known(one, 'user', 'behind@two');
    await waitFor(async () => (await one.get('user', 'ahead', 'two')) === undefined, { what: 'the deletion to arrive' });
    await two.kill9();
    clock.shift(0);
    await two.start();
    await addUser(two, 'right');
    await known(one, 'user', 'right@two');

    // what was seen while it was ahead is on the disk since the restart, and this time is before that
    expect(await status()).toBe(200);
    expect(await conditionsOf(two)).toMatch(
      /the clock of this machine was set back by .*: what had ended by it counts again, as capability c-/,
    );
    expect((await two.cli('doctor')).stdout).toContain('clock set back');
    expect(await ok(two, 'audit', 'show')).toContain('was set back');
    expect(await conditionsOf(one)).not.toContain('set back');
    expect((await peers(one, 'clocks')).every((peer) => peer['connected'] === true || peer['path'] === 'self')).toBe(true);
  });
});

describe('commands among clocks that differ', () => {
  const say = async (field: Field) =>
    start(field.ops, { type: 'Talker', resource: 'talker', command: 'Say', filter: { include: ['.*'] }, threads: 3, keepGoing: true });

  it('run where an hour does not matter, are refused with both times where days do, and go on whatever happens to the clocks meanwhile', async () => {
    const clocks = new Map(['one', 'two', 'three'].map((name) => [name, clockOf(name)]));
    const field = await openField(stage.current, {
      names: [...clocks.keys()],
      envs: Object.fromEntries([...clocks].map(([name, clock]) => [name, clock.env])),
    });
    const [, two, three] = field.sites;
    if (two === undefined || three === undefined) throw new Error('three sites');
    await makeType(field, 'Talker', { Say: shell(mark(field, 'said')), Wait: shell(`${mark(field, 'waits')}; sleep 2`) });
    await deploy(field, 'Talker', 'talker', field.sites);
    const outcomesOf = async (id: string) => {
      await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the execution to end' });
      return partsOf(field.ops, id);
    };

    clocks.get('two')?.shift(-HOUR_MS);
    clocks.get('three')?.shift(HOUR_MS);
    for (const { outcome } of (await outcomesOf(await say(field))).values()) expect(outcome).toBe('succeeded');

    clocks.get('two')?.shift(-2 * DAY_MS);
    clocks.get('three')?.shift(2 * DAY_MS);
    const apart = await outcomesOf(await say(field));
    expect(apart.get('one')?.outcome).toBe('succeeded');
    expect(apart.get('two')).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/was made at \d{4}-.*, which is in the future: here it is \d{4}-/),
    });
    expect(apart.get('three')).toMatchObject({
      outcome: 'refused',
      code: 'ORDER_EXPIRED',
      reason: expect.stringMatching(/before \d{4}-.*; on three it is \d{4}-/),
    });

    for (const clock of clocks.values()) clock.shift(0);
    const waiting = await start(field.ops, {
      type: 'Talker',
      resource: 'talker',
      command: 'Wait',
      filter: { include: ['.*'] },
      threads: 3,
      timeout: '1m',
    });
    await waitFor(async () => (await marked(field, 'waits')).length === 3, { what: 'all three to run' });
    clocks.get('one')?.shift(12 * HOUR_MS);
    clocks.get('two')?.shift(YEAR_MS);
    clocks.get('three')?.shift(-YEAR_MS);
    // and one of them sleeps
    three.freeze();
    clocks.get('three')?.shift(-YEAR_MS + HOUR_MS);
    three.thaw();
    for (const { outcome } of (await outcomesOf(waiting)).values()) expect(outcome).toBe('succeeded');
    expect(await marked(field, 'waits')).toHaveLength(3);
  });
});
