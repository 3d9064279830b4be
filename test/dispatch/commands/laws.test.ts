import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runCommand } from './run-command.ts';
import { context, fakeClock, fakeRunner, type } from './world.ts';

/** A step of a random workflow: a script that ends well or not, or a command with steps of its own. */
interface Play {
  well: boolean;
  sub?: Play[] | undefined;
  attempts: number;
  failure: 'fail' | 'ignore' | Play[];
}

const { tree } = fc.letrec<{ tree: Play; handler: Play; leaf: Play }>((tie) => ({
  leaf: fc.record({ well: fc.boolean(), attempts: fc.constantFrom(1, 1, 3), failure: fc.constantFrom('fail' as const, 'ignore' as const) }),
  handler: fc.record({
    well: fc.boolean(),
    attempts: fc.constant(1),
    failure: fc.oneof(fc.constantFrom('fail' as const, 'ignore' as const), fc.array(tie('leaf'), { minLength: 1, maxLength: 2 })),
  }),
  tree: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    tie('leaf'),
    fc.record({
      well: fc.boolean(),
      sub: fc.option(fc.array(tie('tree'), { minLength: 1, maxLength: 3 }), { nil: undefined }),
      attempts: fc.constantFrom(1, 2),
      failure: fc.oneof(fc.constantFrom('fail' as const, 'ignore' as const), fc.array(tie('handler'), { minLength: 1, maxLength: 2 })),
    }),
  ),
}));

/** The same as commands: each script has a number as its text, each workflow below is a command of its own. */
function commandsOf(steps: readonly Play[], order: 'sequential' | 'concurrent') {
  const commands: Record<string, unknown> = {};
  const ends = new Map<string, boolean>();
  const written = (play: Play): object => {
    const rest = {
      'on-failure': typeof play.failure === 'string' ? play.failure : play.failure.map(written),
      ...(play.attempts > 1 ? { retry: { attempts: play.attempts } } : {}),
    };
    if (play.sub === undefined) {
      const text = `${ends.size}`;
      ends.set(text, play.well);
      return { script: { inline: text }, ...rest };
    }
    const name = `c${Object.keys(commands).length}`;
    commands[name] = undefined;
    commands[name] = { private: true, workflow: { order, steps: play.sub.map(written) } };
    return { command: name, ...rest };
  };
  const run = { workflow: { order, steps: steps.map(written) } };
  return { service: type('Service', { ...commands, Run: run }), ends };
}

/** What should become of steps in order, and how many scripts are started for that. */
function expected(steps: readonly Play[]): { ok: boolean; started: number } {
  let started = 0;
  for (const step of steps) {
    const outcome = expectedOf(step);
    started += outcome.started;
    if (!outcome.ok) return { ok: false, started };
  }
  return { ok: true, started };
}

function expectedOf({ well, sub, attempts, failure }: Play): { ok: boolean; started: number } {
  const once = sub === undefined ? { ok: well, started: 1 } : expected(sub);
  if (once.ok) return once;
  const started = once.started * attempts;
  if (failure === 'fail') return { ok: false, started };
  if (failure === 'ignore') return { ok: true, started };
  const handled = expected(failure);
  return { ok: handled.ok, started: started + handled.started };
}

async function play(steps: readonly Play[], order: 'sequential' | 'concurrent') {
  const { service, ends } = commandsOf(steps, order);
  const runner = fakeRunner((text) => ({ exitStatus: ends.get(text) === true ? 0 : 1 }));
  const limits = { signal: new AbortController().signal, clock: fakeClock() };
  return { ...(await runCommand(context({ chains: { Service: [service] } }), 'Run', {}, runner, limits)), runner };
}

const steps = fc.array(tree, { minLength: 1, maxLength: 3 });

describe('any workflow', () => {
  it('in order starts what it should, no more, and ends as its steps do', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (plays) => {
        const { ok, reason, runner } = await play(plays, 'sequential');
        expect({ ok, started: runner.started.length }).toEqual(expected(plays));
        expect(reason === undefined).toBe(ok);
        expect(runner.started.map(({ step }) => step)).toEqual(runner.started.map((_, index) => index + 1));
      }),
    );
  });

  it('side by side ends as all of its steps do', async () => {
    const all = (plays: readonly Play[]): boolean =>
      plays.every(
        (one) =>
          one.failure === 'ignore' ||
          (one.sub === undefined ? one.well : all(one.sub)) ||
          (typeof one.failure !== 'string' && expected(one.failure).ok),
      );
    await fc.assert(
      fc.asyncProperty(steps, async (plays) => {
        expect((await play(plays, 'concurrent')).ok).toBe(all(plays));
      }),
    );
  });

  it('says the beginning of each step and how it ended', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (plays) => {
        const { runner } = await play(plays, 'sequential');
        const count = (sign: RegExp) => runner.lines.filter((line) => sign.test(line)).length;
        expect(count(/^begin /)).toBe(count(/^end /) + count(/^\[error\] error /));
      }),
    );
  });
});
