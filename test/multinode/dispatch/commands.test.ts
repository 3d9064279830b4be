/** What types can do, with real scripts on real daemons: inheritance, options, handlers, concurrent steps, dispatch over children by rank. */
import { beforeAll, describe, expect, it } from 'vitest';
import { useStage } from '../../harness/use-stage.ts';
import { deploy, type Field, makeType, mark, marked, ok, openField, openGate, shell, waitForGate } from './field.ts';

const stage = useStage();

describe('commands', () => {
  let field: Field;

  beforeAll(async () => {
    field = await openField(stage.current, { names: ['left', 'right'] });
  });

  const run = async (...args: string[]) => field.ops.cli('run', ...args);

  it('are inherited, and overridden one by one', async () => {
    await makeType(field, 'Base', { Hello: shell('echo hello from base'), Bye: shell('echo bye from base') });
    await makeType(field, 'Derived', { Bye: shell('echo bye from derived') }, { extends: 'Base' });
    await deploy(field, 'Derived', 'derived', [field.home]);
    expect(await run('Hello', 'derived/derived')).toMatchObject({ code: 0, stdout: expect.stringContaining('hello from base') });
    expect(await run('Bye', 'Derived/derived')).toMatchObject({ code: 0, stdout: expect.stringContaining('bye from derived') });
  });

  it('take options with defaults, also from properties, and refuse what does not fit before anything runs', async () => {
    await makeType(
      field,
      'Greeter',
      {
        Greet: {
          options: {
            whom: { required: true },
            times: { type: 'integer', default: 2 },
            port: { type: 'integer', property: 'port' },
          },
          ...shell(`${mark(field, 'greeted')}; echo "$DTKD_OPTION_WHOM $DTKD_OPTION_TIMES $DTKD_OPTION_PORT"`),
        },
      },
      { properties: { port: { type: 'port', default: 8080 } } },
    );
    await deploy(field, 'Greeter', 'greeter', [field.home]);
    const greeted = await field.ops.cli(
      'ctl',
      '-t',
      'Greeter',
      '-r',
      'greeter',
      '-c',
      'Greet',
      '--',
      '-whom',
      'a b; $(touch x)',
      '-times',
      '3',
    );
    expect(greeted).toMatchObject({ code: 0, stdout: expect.stringContaining('a b; $(touch x) 3 8080') });
    expect(await marked(field, 'greeted')).toHaveLength(1);
    for (const bad of [[], ['-whom', 'x', '-times', 'many'], ['-whom', 'x', '-colour', 'red']]) {
      expect(await field.ops.cli('ctl', '-t', 'Greeter', '-r', 'greeter', '-c', 'Greet', '--', ...bad)).toMatchObject({ code: 2 });
    }
    expect(await marked(field, 'greeted')).toHaveLength(1);
  });

  it('start a service that is not up, and leave one that is', async () => {
    const up = `${stage.current.directory}/is-up`;
    await makeType(field, 'Daemon', {
      assertServiceIsUp: shell(`test -e '${up}'`),
      startService: shell(`touch '${up}'; ${mark(field, 'starts')}`),
      Start: { workflow: { steps: [{ command: 'assertServiceIsUp', 'on-failure': [{ command: 'startService' }] }] } },
    });
    await deploy(field, 'Daemon', 'daemon', [field.home]);
    expect(await run('Start', 'Daemon/daemon')).toMatchObject({ code: 0 });
    expect(await run('Start', 'Daemon/daemon')).toMatchObject({ code: 0 });
    expect(await marked(field, 'starts')).toEqual(['left']);
  });

  it('run steps at once where they may', async () => {
    // each waits for what the other does: one after the other they would never end
    await makeType(field, 'Pair', {
      First: shell(`: > '${field.marks}/gate-first'; ${waitForGate(field, 'second')}`),
      Second: shell(`: > '${field.marks}/gate-second'; ${waitForGate(field, 'first')}`),
      Both: { workflow: { order: 'concurrent', steps: [{ command: 'First' }, { command: 'Second' }] }, timeout: '110s' },
    });
    await deploy(field, 'Pair', 'pair', [field.home]);
    expect(await run('Both', 'Pair/pair')).toMatchObject({ code: 0 });
    await openGate(field, 'done');
  });

  it('of a site go to the nodes of its members, by their rank', async () => {
    await makeType(
      field,
      'Tier',
      { Start: shell(`echo "$DTKD_RESOURCE_NAME on $DTKD_NODE" >> '${field.marks}/ranks'`) },
      { properties: { rank: { type: 'integer' } } },
    );
    await makeType(
      field,
      'Shop',
      { Start: { dispatch: { command: 'Start', over: 'children', sort: 'rank', threads: 4 } } },
      { extends: 'Site' },
    );
    await deploy(field, 'Shop', 'shop', []);
    const [left, right] = field.sites;
    if (left === undefined || right === undefined) throw new Error('two sites');
    await deploy(field, 'Tier', 'front', ['shop', 'node/left', 'node/right'], { properties: { rank: 3 } });
    await deploy(field, 'Tier', 'back', ['shop', 'node/left'], { properties: { rank: 10 } });
    await deploy(field, 'Tier', 'db', ['shop', 'node/right'], { properties: { rank: 1 } });
    const answer = await run('Start', 'Shop/shop');
    expect(answer, answer.stderr).toMatchObject({ code: 0 });
    const ranks = await marked(field, 'ranks');
    expect(ranks[0]).toBe('db on right');
    expect(ranks.slice(1, 3).sort()).toEqual(['front on left', 'front on right']);
    expect(ranks.slice(3)).toEqual(['back on left']);
    expect(await ok(field.home, 'get', 'executions')).toContain('succeeded');
  });
});
