// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of commands, which the tested code fills in.
import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CommandResult, RunLimits, ScriptResult } from '../../../daemon/src/dispatch/commands/commands.types.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { waitFor } from '../../wait.ts';
import { runCommand } from './run-command.ts';
import { context, fakeClock, fakeRunner, type Recorded, resource, type, type World } from './world.ts';

const GOOD: ScriptResult = { exitStatus: 0 };
const inline = (text: string) => ({ script: { inline: text } });

/** Scripts whose text is `fail N` end with that status, `unknown`, `signal NAME` and `late` as they say; all others well. */
function ending(text: string): ScriptResult {
  const [word, value] = text.split(' ');
  if (word === 'fail') return { exitStatus: Number(value) };
  if (word === 'unknown') return { unknown: true };
  if (word === 'signal') return { signal: value ?? '' };
  if (word === 'late') return { signal: 'SIGKILL', error: { code: 'DEADLINE', message: 'it took too long' } };
  return GOOD;
}

interface Play extends Partial<RunLimits> {
  run?: string;
  options?: Record<string, string>;
  runner?: Recorded;
}

async function play(
  world: World,
  { run = 'Run', options = {}, runner = fakeRunner(ending), ...limits }: Play = {},
): Promise<CommandResult & { runner: Recorded; order: string[] }> {
  const result = await runCommand(context(world), run, options, runner, {
    signal: new AbortController().signal,
    clock: fakeClock(),
    ...limits,
  });
  return { ...result, runner, order: runner.started.map(({ script }) => script.inline ?? '') };
}

const one = (commands: Record<string, unknown>): World => ({ chains: { Service: [type('Service', commands)] } });
const workflow = (...steps: unknown[]) => one({ Run: { workflow: { steps } } });

describe('a script', () => {
  it('gets its arguments, variables and directory filled in, and its text as it is', async () => {
    const script = { inline: 'echo "${HOME}"', args: ['-p', '${options.port}'], env: { WHO: '${resource.name}' }, directory: 'logs' };
    const { ok, runner } = await play(
      { ...one({ Run: { script, options: { port: { type: 'integer' } } } }), directory: '/var/lib/x' },
      { options: { port: '80' } },
    );
    expect(ok).toBe(true);
    expect(runner.started).toMatchObject([
      {
        command: 'Run',
        step: 1,
        options: { port: 80 },
        script: { ...script, args: ['-p', '80'], env: { WHO: 'myService' }, directory: '/var/lib/x/logs' },
      },
    ]);
    expect(runner.lines).toEqual([]);
  });

  it.each([
    ['fail 3', { exitStatus: 3, reason: 'exit status 3' }],
    ['signal SIGKILL', { signal: 'SIGKILL', reason: 'ended by SIGKILL' }],
    ['unknown', { unknown: true, reason: 'it is not known how it ended' }],
  ])('that ends with "%s" says so', async (text, expected) => {
    expect(await play(one({ Run: inline(text) }))).toMatchObject({ ok: false, ...expected });
  });

  it('that ended with 0 after its time was over did not succeed', async () => {
    const runner = fakeRunner(() => ({ exitStatus: 0, error: { code: 'DEADLINE', message: 'it took too long' } }));
    expect(await play(one({ Run: { ...inline('x'), timeout: '5s' } }), { runner })).toMatchObject({
      ok: false,
      error: { code: 'DEADLINE' },
      reason: 'the command "Run" took longer than allowed',
    });
  });

  it('that could not be started says why', async () => {
    const runner = fakeRunner(() => Promise.reject(new DtkdError('INVALID', 'there is no user "nobody2"')));
    expect(await play(one({ Run: inline('x') }), { runner })).toMatchObject({
      ok: false,
      reason: 'there is no user "nobody2"',
      error: { code: 'INVALID' },
    });
    const broken = fakeRunner(() => Promise.reject(new Error('internals')));
    const result = await play(one({ Run: inline('x') }), { runner: broken });
    expect(result).toMatchObject({ ok: false, unknown: true });
    expect(result.reason).not.toContain('internals');
  });
});

describe('a workflow', () => {
  it('runs its steps in order and says so in lines', async () => {
    const { ok, order, runner } = await play(
      workflow({ script: { inline: 'a' }, name: 'first' }, { script: { file: 'bin/b' } }, { script: { inline: 'c' } }),
    );
    expect(ok).toBe(true);
    expect(order).toEqual(['a', '', 'c']);
    expect(runner.started.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(runner.lines).toEqual([
      'begin workflow command (1/3) -> "first " ...',
      'end workflow command (1/3) -> "first "',
      'begin workflow command (2/3) -> "bin/b " ...',
      'end workflow command (2/3) -> "bin/b "',
      'begin workflow command (3/3) -> "script " ...',
      'end workflow command (3/3) -> "script "',
    ]);
  });

  it('ends with the first step that fails', async () => {
    const result = await play(
      workflow({ script: { inline: 'a' } }, { script: { inline: 'fail 3' }, name: 'X' }, { script: { inline: 'never' } }),
    );
    expect(result).toMatchObject({ ok: false, exitStatus: 3, reason: 'step 2/3 "X": exit status 3' });
    expect(result.order).toEqual(['a', 'fail 3']);
    expect(result.runner.lines.at(-1)).toBe('[error] error workflow command (2/3) -> "X " : exit status 3');
  });

  it('goes on after a failure that is ignored', async () => {
    const result = await play(workflow({ script: { inline: 'fail 3' }, 'on-failure': 'ignore' }, { script: { inline: 'b' } }));
    expect(result.ok).toBe(true);
    expect(result.order).toEqual(['fail 3', 'b']);
    expect(result.runner.lines[1]).toBe('[warning] error workflow command (1/2) -> "script " : exit status 3');
  });

  it('runs handlers in order where a step fails, and succeeds if they do', async () => {
    const world = one({
      Run: {
        workflow: {
          steps: [
            { command: 'assertServiceIsUp', 'on-failure': [{ command: 'startService' }, { script: { inline: 'note' }, name: 'note' }] },
          ],
        },
      },
      assertServiceIsUp: { private: true, ...inline('fail 1') },
      startService: inline('start'),
    });
    const result = await play(world);
    expect(result.ok).toBe(true);
    expect(result.runner.lines).toEqual([
      'begin workflow command (1/1) -> "assertServiceIsUp " ...',
      '[warning] error workflow command (1/1) -> "assertServiceIsUp " : exit status 1',
      'begin handler (1/2) -> "startService " ...',
      'end handler (1/2) -> "startService "',
      'begin handler (2/2) -> "note " ...',
      'end handler (2/2) -> "note "',
      'end workflow command (1/1) -> "assertServiceIsUp "',
    ]);
  });

  it('fails if a handler does, unless that is handled itself', async () => {
    const handlers = (...rest: unknown[]) => ({ script: { inline: 'fail 1' }, name: 'X', 'on-failure': rest });
    const bad = await play(workflow(handlers({ script: { inline: 'fail 7' }, name: 'H' }, { script: { inline: 'never' } })));
    expect(bad).toMatchObject({ ok: false, exitStatus: 7, reason: 'step 1/1 "X": exit status 1; handler 1/2 "H": exit status 7' });
    expect(bad.order).not.toContain('never');
    expect(await play(workflow(handlers({ script: { inline: 'fail 7' }, 'on-failure': [{ script: { inline: 'b' } }] })))).toMatchObject({
      ok: true,
    });
  });

  it('neither retries nor handles what is not known', async () => {
    const step = { script: { inline: 'unknown' }, retry: { attempts: 3 }, 'on-failure': [{ script: { inline: 'h' } }] };
    const result = await play(workflow(step, { script: { inline: 'b' } }));
    expect(result).toMatchObject({ ok: false, unknown: true });
    expect(result.order).toEqual(['unknown']);
    expect(await play(workflow({ ...step, 'on-failure': 'ignore' }, { script: { inline: 'b' } }))).toMatchObject({
      ok: true,
      order: ['unknown', 'b'],
    });
  });

  it('retries with longer and longer waits', async () => {
    let left = 3;
    const runner = fakeRunner(() => (left-- > 0 ? { exitStatus: 1 } : GOOD));
    const clock = fakeClock();
    const result = await play(workflow({ script: { inline: 'x' }, name: 'X', retry: { attempts: 5, delay: '500ms', backoff: 3 } }), {
      runner,
      clock,
    });
    expect(result.ok).toBe(true);
    expect(clock.waits).toEqual([500, 1_500, 4_500]);
    expect(runner.started.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(runner.lines.slice(1, 3)).toEqual([
      '[warning] retry workflow command (1/1) -> "X " : exit status 1, attempt 2/5 in 500ms',
      '[warning] retry workflow command (1/1) -> "X " : exit status 1, attempt 3/5 in 1.5s',
    ]);
    const never = await play(workflow({ script: { inline: 'fail 2' }, retry: { attempts: 2 } }));
    expect(never).toMatchObject({ ok: false, exitStatus: 2, order: ['fail 2', 'fail 2'] });
  });

  it('does not wait for an attempt for which no time is left', async () => {
    const clock = fakeClock();
    const result = await play(
      workflow({ script: { inline: 'fail 2' }, retry: { attempts: 9, delay: '1m' }, 'on-failure': [{ script: { inline: 'h' } }] }),
      { clock, timeoutMs: 90_000 },
    );
    expect(clock.waits).toEqual([60_000]);
    expect(result).toMatchObject({ ok: true, order: ['fail 2', 'fail 2', 'h'] });
  });

  it('passes options on, filled in and read by type', async () => {
    const world = one({
      Run: {
        options: { port: { type: 'integer' }, host: {} },
        workflow: { steps: [{ command: 'listen', options: { at: '${options.port}', host: '${options.host}' } }] },
      },
      listen: { private: true, options: { at: { type: 'integer', required: true }, host: { default: 'localhost' } }, ...inline('x') },
    });
    const { runner } = await play(world, { options: { port: '81' } });
    expect(runner.started[0]).toMatchObject({ command: 'listen', options: { at: 81, host: 'localhost' } });
  });

  it('takes steps from the nearest type', async () => {
    const base = type('Service', { Run: { workflow: { steps: [{ command: 'start' }] } }, start: inline('base') });
    const sub = type('Web', { start: inline('own') });
    const result = await play({ chains: { Web: [sub, base] }, resource: resource('w', { type: 'Web' }) });
    expect(result.order).toEqual(['own']);
  });

  it('caps the reason, however deep it comes from', async () => {
    const steps = Array.from({ length: 16 }, () => ({ script: { inline: 'fail 1' }, name: 'n'.repeat(128) }));
    const { reason } = await play(one({ Run: { workflow: { order: 'concurrent', steps } } }));
    expect(reason?.length).toBeLessThanOrEqual(1_024);
    expect(reason).toContain('exit status 1');
  });
});

describe('time', () => {
  it('hands each script the nearest limit', async () => {
    const seen: (number | undefined)[] = [];
    const clock = fakeClock();
    const runner: Recorded = {
      ...fakeRunner(ending),
      async run(_script, { timeoutMs }) {
        seen.push(timeoutMs);
        clock.pass(1_000);
        return GOOD;
      },
    };
    const world = one({
      Run: {
        timeout: '10s',
        workflow: { steps: [{ script: { inline: 'a' }, timeout: '5s' }, { script: { inline: 'b' } }, { command: 'sub', timeout: '1h' }] },
      },
      sub: { timeout: '2s', workflow: { steps: [{ script: { inline: 'c' } }, { script: { inline: 'd' }, timeout: '3s' }] } },
    });
    expect(await play(world, { runner, clock, timeoutMs: 60_000 })).toMatchObject({ ok: true });
    expect(seen).toEqual([5_000, 9_000, 2_000, 1_000]);
  });

  it('lets handlers and attempts follow a limit of the step itself', async () => {
    const result = await play(
      workflow({
        script: { inline: 'late' },
        name: 'X',
        timeout: '5s',
        retry: { attempts: 2 },
        'on-failure': [{ script: { inline: 'h' } }],
      }),
      { timeoutMs: 60_000 },
    );
    expect(result).toMatchObject({ ok: true, order: ['late', 'late', 'h'] });
    expect(result.runner.lines).toContain('[warning] error workflow command (1/1) -> "X " : the step "X" took longer than allowed');
  });

  it('lets nothing follow a limit of the whole', async () => {
    const world = one({
      Run: {
        timeout: '5s',
        workflow: {
          steps: [
            { script: { inline: 'late' }, name: 'X', timeout: '1h', retry: { attempts: 3 }, 'on-failure': [{ script: { inline: 'h' } }] },
          ],
        },
      },
    });
    const result = await play(world);
    expect(result).toMatchObject({ ok: false, error: { code: 'DEADLINE' }, signal: 'SIGKILL', order: ['late'] });
    expect(result.reason).toBe('step 1/1 "X": the command "Run" took longer than allowed');
  });

  it('lets the caller handle a command whose own limit is over', async () => {
    const world = one({
      Run: { workflow: { steps: [{ command: 'Slow', 'on-failure': [{ script: { inline: 'h' } }] }] } },
      Slow: {
        timeout: '5s',
        workflow: { steps: [{ script: { inline: 'late' }, 'on-failure': 'ignore' }, { script: { inline: 'never' } }] },
      },
    });
    expect(await play(world, { timeoutMs: 60_000 })).toMatchObject({ ok: true, order: ['late', 'h'] });
  });

  it('starts nothing once it is over', async () => {
    const clock = fakeClock();
    const runner = fakeRunner(() => {
      clock.pass(10_000);
      return GOOD;
    });
    const result = await play(workflow({ script: { inline: 'a' } }, { script: { inline: 'b' }, name: 'B', 'on-failure': 'ignore' }), {
      runner,
      clock,
      timeoutMs: 5_000,
    });
    expect(result).toMatchObject({
      ok: false,
      error: { code: 'DEADLINE' },
      order: ['a'],
      reason: 'step 2/2 "B": it took longer than allowed',
    });
  });
});

describe('the clock of a machine', () => {
  afterEach(() => vi.useRealTimers());

  it('may be set, or the machine sleep: that ends no command, and lets none run on', async () => {
    const day = 24 * 3_600_000;
    vi.useFakeTimers({ toFake: ['Date'] });
    for (const by of [day, -day]) {
      const left: (number | undefined)[] = [];
      const runner: Recorded = {
        ...fakeRunner(ending),
        async run(_script, { timeoutMs }) {
          left.push(timeoutMs);
          vi.setSystemTime(Date.now() + by);
          return GOOD;
        },
      };
      const world = workflow({ script: { inline: 'a' } }, { script: { inline: 'b' } });
      const limits = { signal: new AbortController().signal, timeoutMs: 60_000 };
      expect(await runCommand(context(world), 'Run', {}, runner, limits)).toMatchObject({ ok: true });
      expect(Math.max(...left.map((ms) => ms ?? 0))).toBeLessThanOrEqual(60_000);
    }
  });
});

describe('an abort', () => {
  it('ends a wait between two attempts, and nothing handles it', async () => {
    const controller = new AbortController();
    const clock = { ...fakeClock(), wait: async () => controller.abort() };
    const result = await play(
      workflow({ script: { inline: 'fail 1' }, retry: { attempts: 3 }, 'on-failure': [{ script: { inline: 'h' } }] }),
      { clock, signal: controller.signal },
    );
    expect(result).toMatchObject({ ok: false, error: { code: 'ABORTED' }, order: ['fail 1'] });
  });

  it('says why, where its signal does', async () => {
    const signal = AbortSignal.abort(new DtkdError('DEADLINE', 'the order has expired'));
    expect(await play(workflow({ script: { inline: 'a' }, 'on-failure': 'ignore' }), { signal })).toMatchObject({
      ok: false,
      error: { code: 'DEADLINE', message: 'the order has expired' },
      order: [],
    });
  });

  it('of a script that ended well all the same leaves it so', async () => {
    const controller = new AbortController();
    const runner = fakeRunner(() => {
      controller.abort();
      return GOOD;
    });
    expect(await play(one({ Run: inline('a') }), { runner, signal: controller.signal })).toMatchObject({ ok: true });
  });

  it('tells how the process ended as well', async () => {
    const controller = new AbortController();
    const runner = fakeRunner(() => {
      controller.abort();
      return { signal: 'SIGTERM' };
    });
    expect(await play(workflow({ script: { inline: 'a' }, 'on-failure': 'ignore' }), { runner, signal: controller.signal })).toMatchObject({
      ok: false,
      signal: 'SIGTERM',
      error: { code: 'ABORTED' },
    });
  });

  it('keeps concurrent steps from being started', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        async (threads, count, after) => {
          const controller = new AbortController();
          let ended = 0;
          let startedAfter = 0;
          const runner = fakeRunner(async () => {
            if (controller.signal.aborted) startedAfter += 1;
            await Promise.resolve();
            ended += 1;
            if (ended === after) controller.abort();
            return GOOD;
          });
          const steps = Array.from({ length: count }, () => ({ script: { inline: 'x' } }));
          const result = await play(one({ Run: { workflow: { order: 'concurrent', threads, steps } } }), {
            runner,
            signal: controller.signal,
          });
          expect(startedAfter).toBe(0);
          expect(result.ok).toBe(runner.started.length === count);
        },
      ),
    );
  });
});

describe('concurrent steps', () => {
  it.each([
    [undefined, 5],
    [2, 2],
    [1, 1],
  ])('run with %s threads: %i at a time', async (threads, most) => {
    const waiting: (() => void)[] = [];
    let running = 0;
    let peak = 0;
    const runner = fakeRunner(
      () =>
        new Promise<ScriptResult>((resolve) => {
          running += 1;
          peak = Math.max(peak, running);
          waiting.push(() => {
            running -= 1;
            resolve(GOOD);
          });
        }),
    );
    const steps = Array.from({ length: 5 }, (_, index) => ({ script: { inline: `${index}` } }));
    const whole = play(one({ Run: { workflow: { order: 'concurrent', ...(threads === undefined ? {} : { threads }), steps } } }), {
      runner,
    });
    for (let done = 0; done < 5; done++) (await waitFor(() => waiting.shift(), { what: 'a script' }))();
    expect(await whole).toMatchObject({ ok: true });
    expect(peak).toBe(most);
  });

  it('that run when one fails are waited for, and no more are started', async () => {
    let release: (() => void) | undefined;
    const slow = new Promise<ScriptResult>((resolve) => {
      release = () => resolve(GOOD);
    });
    const runner = fakeRunner((text) => (text === 'slow' ? slow : ending(text)));
    const steps = [{ script: { inline: 'slow' } }, { script: { inline: 'fail 4' }, name: 'B' }, { script: { inline: 'never' } }];
    let over = false;
    const whole = play(one({ Run: { workflow: { order: 'concurrent', threads: 2, steps } } }), { runner }).then((result) => {
      over = true;
      return result;
    });
    await waitFor(() => runner.lines.some((line) => line.startsWith('[error]')), { what: 'the failure' });
    expect(over).toBe(false);
    release?.();
    expect(await whole).toMatchObject({ ok: false, exitStatus: 4, reason: 'step 2/3 "B": exit status 4', order: ['slow', 'fail 4'] });
  });

  it('tell a failure that is certain before one that is not known', async () => {
    const steps = [
      { script: { inline: 'unknown' }, name: 'A' },
      { script: { inline: 'fail 4' }, name: 'B' },
    ];
    const result = await play(one({ Run: { workflow: { order: 'concurrent', steps } } }));
    expect(result).toMatchObject({
      ok: false,
      exitStatus: 4,
      reason: 'step 2/2 "B": exit status 4; step 1/2 "A": it is not known how it ended',
    });
    expect(result.unknown).toBeUndefined();
  });
});

describe('a local dispatch', () => {
  const service = type('Service', { start: { ...inline('start'), options: { fast: { type: 'boolean' } } } });
  const web = type('Web', { start: inline('start web') });
  const rank = (name: string, value: unknown, of = 'Service') =>
    resource(name, { type: of, properties: value === undefined ? {} : { 'startup-rank': value } });
  const site = (
    dispatch: object,
    children = [rank('db', 1), rank('app', 10, 'Web'), rank('cache', '2'), rank('mail', undefined)],
  ): World => ({
    chains: {
      Site: [type('Site', { Run: { dispatch: { command: 'start', over: 'children', strategy: 'local', ...dispatch } } })],
      Service: [service],
      Web: [web, service],
    },
    resource: resource('shop', { type: 'Site' }),
    children,
  });
  const names = ({ runner }: { runner: Recorded }) => runner.started.map((script) => script.resource.name);

  it('goes by the values of a property: numbers by their size, none last', async () => {
    const result = await play(site({ sort: 'startup-rank' }));
    expect(names(result)).toEqual(['db', 'cache', 'app', 'mail']);
    expect(result.runner.lines.slice(0, 2)).toEqual([
      'begin dispatch command (1/4) -> "start Service/db " ...',
      'end dispatch command (1/4) -> "start Service/db "',
    ]);
    expect(names(await play(site({ sort: 'startup-rank', reverse: true })))).toEqual(['app', 'cache', 'db', 'mail']);
    expect(names(await play(site({})))).toEqual(['cache', 'db', 'mail', 'app']);
  });

  it('chooses by type, also an inherited one, and by name', async () => {
    expect(names(await play(site({ type: 'service' })))).toHaveLength(4);
    expect(names(await play(site({ type: 'Web' })))).toEqual(['app']);
    expect(names(await play(site({ name: '(db|mail)' })))).toEqual(['db', 'mail']);
    expect(names(await play(site({ name: 'd' })))).toEqual([]);
  });

  it('fails where nothing matches, unless that is expected', async () => {
    expect(await play(site({ type: 'Database' }))).toMatchObject({
      ok: false,
      error: { code: 'NO_MATCH' },
      reason: 'there are no children of type Database here',
    });
    expect(await play(site({ type: 'Database', 'require-match': false }))).toMatchObject({ ok: true });
  });

  it('starts no later group after a failure, unless it keeps going', async () => {
    const runner = () => fakeRunner((_text, script) => ({ exitStatus: script.resource.name === 'cache' ? 3 : 0 }));
    const stopped = await play(site({ sort: 'startup-rank' }), { runner: runner() });
    expect(stopped).toMatchObject({ ok: false, exitStatus: 3, reason: '2/4 "start Service/cache": exit status 3' });
    expect(names(stopped)).toEqual(['db', 'cache']);
    const going = await play(site({ sort: 'startup-rank', 'keep-going': true }), { runner: runner() });
    expect(going).toMatchObject({ ok: false, exitStatus: 3 });
    expect(names(going)).toEqual(['db', 'cache', 'app', 'mail']);
  });

  it('ends one group before the next begins, however many threads', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 8 }),
        async (ranks, threads) => {
          const running = new Set<unknown>();
          let overlap = false;
          const runner = fakeRunner(async (_text, script) => {
            const value = script.resource.properties['startup-rank'];
            overlap ||= [...running].some((other) => other !== value);
            running.add(value);
            await Promise.resolve();
            running.delete(value);
            return GOOD;
          });
          const children = ranks.map((value, index) => rank(`r${index}`, value));
          const result = await play(site({ sort: 'startup-rank', threads }, children), { runner });
          expect(result.ok).toBe(true);
          expect(overlap).toBe(false);
          expect(result.runner.started).toHaveLength(ranks.length);
        },
      ),
    );
  });

  it('is a step like any other', async () => {
    const world = site({ sort: 'startup-rank' });
    const chains = {
      ...world.chains,
      Site: [
        type('Site', { All: { workflow: { steps: [{ command: 'Run', 'on-failure': [{ script: { inline: 'h' } }] }] } } }),
        ...(world.chains['Site'] ?? []),
      ],
    };
    const runner = fakeRunner((_text, { resource: about }) => ({ exitStatus: about.name === 'cache' ? 3 : 0 }));
    expect(await play({ ...world, chains }, { run: 'All', runner })).toMatchObject({ ok: true, order: ['start', 'start', 'h'] });
  });
});
