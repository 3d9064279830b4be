// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of commands, which the tested code fills in.

import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../daemon/src/dispatch/commands/code-of.ts';
import { step } from '../../../protocol/definitions/commands.ts';
import { runCommand } from './run-command.ts';
import { codeNamed, context, fakeRunner, resource, type, type World } from './world.ts';

const inline = (text = 'true') => ({ script: { inline: text } });
const one = (commands: Record<string, unknown>): World => ({ chains: { Service: [type('Service', commands)] } });
const steps = (...list: unknown[]) => ({ workflow: { steps: list } });

async function refused(world: World, options: Record<string, string> = {}): Promise<unknown> {
  const runner = fakeRunner(() => ({ exitStatus: 0 }));
  const run = runCommand(context(world), 'Run', options, runner, { signal: new AbortController().signal });
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(runner.started).toEqual([]);
  expect(await codeOf(context(world), 'Run', options).catch((reason: unknown) => reason)).toEqual(error);
  return error;
}

describe('what is wrong with a command is found before anything runs', () => {
  it.each<[string, World, string]>([
    [
      'a step that names no command',
      one({ Run: steps({ script: { inline: 'a' } }, { command: 'strat' }), start: inline() }),
      'step 2 of "Run": Service has no command "strat"',
    ],
    [
      'a handler that names none',
      one({ Run: steps({ script: { inline: 'a' }, 'on-failure': [{ command: 'gone' }] }) }),
      'step 1 of "Run": handler 1 of "Run": Service has no command "gone"',
    ],
    [
      'a command that comes back to itself',
      one({ Run: steps({ command: 'B' }), B: steps({ command: 'Run' }) }),
      'step 1 of "Run": step 1 of "B": the command "Run" calls itself: Run → B → Run',
    ],
    [
      'one that is its own handler',
      one({ Run: steps({ script: { inline: 'a' }, 'on-failure': [{ command: 'Run' }] }) }),
      'step 1 of "Run": handler 1 of "Run": the command "Run" calls itself: Run → Run',
    ],
    [
      'an option that a step leaves out',
      one({ Run: steps({ command: 'B' }), B: { ...inline(), options: { port: { required: true } } } }),
      'step 1 of "Run": the command "B" cannot run with these options: the option "port" (string) is missing',
    ],
    [
      'one that a step makes up',
      one({ Run: steps({ command: 'B', options: { prot: 1 } }), B: inline() }),
      'step 1 of "Run": the command "B" cannot run with these options: there is no option "prot"',
    ],
    [
      'options of a script',
      one({ Run: steps({ script: { inline: 'a' }, options: { x: 1 } }) }),
      'step 1 of "Run": options are for commands; a script has args',
    ],
    [
      'a step that is two things',
      one({ Run: steps({ command: 'B', script: { inline: 'a' } }), B: inline() }),
      'step 1 of "Run": it must be exactly one of command and script',
    ],
    [
      'a dispatch to other nodes within a workflow',
      one({ Run: steps({ command: 'B' }), B: { dispatch: { command: 'x', over: 'children' } } }),
      'step 1 of "Run": the command "B" is dispatched to other nodes, which only the node that starts it can do',
    ],
    [
      'a reference to nothing',
      one({ Run: steps({ script: { inline: 'a', args: ['${properties.port}'] } }) }),
      'step 1 of "Run": the script of "Run": "${properties.port}" refers to something that does not exist\n  ${properties.port}\n  ^',
    ],
  ])('%s', async (_what, world, message) => {
    expect(await refused(world)).toMatchObject({ code: 'INVALID', message });
  });

  it('the same command of another resource is not itself', async () => {
    const service = type('Service', { Run: { dispatch: { command: 'Run', over: 'children', strategy: 'local', 'require-match': false } } });
    const world: World = { chains: { Service: [service] }, children: [resource('child')] };
    const runner = fakeRunner(() => ({ exitStatus: 0 }));
    expect(await runCommand(context(world), 'Run', {}, runner, { signal: new AbortController().signal })).toMatchObject({ ok: true });
  });

  it('commands that are nested too deep', async () => {
    const commands: Record<string, unknown> = { c20: inline() };
    for (let index = 0; index < 20; index++) commands[`c${index}`] = steps({ command: `c${index + 1}` });
    expect(await refused(one({ ...commands, Run: steps({ command: 'c0' }) }))).toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('more than 16 deep'),
    });
  });

  it('workflows that come to more steps than could ever run', async () => {
    const commands: Record<string, unknown> = { c5: inline() };
    for (let index = 0; index < 5; index++)
      commands[`c${index}`] = steps(...Array.from({ length: 100 }, () => ({ command: `c${index + 1}` })));
    expect(await refused(one({ ...commands, Run: steps({ command: 'c0' }) }))).toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('more than 10000 steps'),
    });
  });

  it.each([
    ['arguments', { Run: { script: { inline: 'a', args: Array.from({ length: 40 }, () => '${properties.long}'.repeat(16)) } } }],
    [
      'options',
      {
        Run: steps(...Array.from({ length: 40 }, () => ({ command: 'B', options: { o: '${properties.long}'.repeat(16) } }))),
        B: { ...inline(), options: { o: {} } },
      },
    ],
  ])('%s that come to more than a process could get', async (_what, commands) => {
    const world = { ...one(commands), resource: resource('myService', { properties: { long: 'x'.repeat(60_000) } }) };
    expect(await refused(world)).toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('characters in total when they are filled in'),
    });
  });

  it('handlers below handlers of handlers, however deep', () => {
    const nested = (depth: number): object => ({ command: 'a', ...(depth === 0 ? {} : { 'on-failure': [nested(depth - 1)] }) });
    expect(step.safeParse(nested(2)).success).toBe(true);
    expect(step.safeParse(nested(3)).success).toBe(false);
    expect(step.safeParse(nested(2_000)).success).toBe(false);
  });

  it('a workflow that has too many steps with its handlers', async () => {
    const handled = { script: { inline: 'a' }, 'on-failure': Array.from({ length: 64 }, () => ({ script: { inline: 'h' } })) };
    expect(await refused(one({ Run: steps(handled, handled, handled, handled) }))).toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('260 steps'),
    });
  });

  it('a pattern that is none', async () => {
    const world = one({ Run: { dispatch: { command: 'x', over: 'children', strategy: 'local', type: '(' } } });
    expect(await refused(world)).toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('the type of a dispatch, "(", is not a valid regular expression (RE2)'),
    });
  });
});

describe('the code that a command may run', () => {
  const web = codeNamed('acme/web', 'a');
  const lib = codeNamed('acme/lib', 'b');
  const db = codeNamed('acme/db', 'c');

  it('is that of its steps, their handlers, what they inherit, and of what it dispatches to here', async () => {
    const world: World = {
      chains: {
        Service: [
          type('Web', { Run: steps({ script: { inline: 'a' }, 'on-failure': [{ command: 'help' }] }, { command: 'all' }) }, web),
          type('Service', { help: inline(), all: { dispatch: { command: 'start', over: 'children', strategy: 'local' } } }, lib),
        ],
        Db: [type('Db', { start: inline() }, db), type('Other', { other: inline() }, codeNamed('acme/other', 'd'))],
      },
      children: [resource('one', { type: 'Db' })],
    };
    expect(await codeOf(context(world), 'Run', {})).toEqual([db, lib, web]);
    expect(await codeOf(context({ ...world, children: [] }), 'Run', {})).toEqual([lib, web]);
    expect(await codeOf(context(world), 'help', {})).toEqual([lib]);
  });

  it('is of one version each', async () => {
    const world: World = {
      chains: {
        Service: [type('Web', { Run: steps({ command: 'help' }) }, web), type('Service', { help: inline() }, codeNamed('acme/web', 'e'))],
      },
    };
    expect(await codeOf(context(world), 'Run', {}).catch((error: unknown) => error)).toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('two different versions of acme/web'),
    });
  });

  it('may be none', async () => {
    const builtIn = { ...type('Service', { Run: inline() }), code: undefined };
    expect(await codeOf(context({ chains: { Service: [builtIn] } }), 'Run', {})).toEqual([]);
  });
});
