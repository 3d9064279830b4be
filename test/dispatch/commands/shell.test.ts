// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of commands, or variables of the shell.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../wait.ts';
import { runCommand } from './run-command.ts';
import { context, resource, shellRunner, type, type World } from './world.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-commands-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function run(world: World, command: string, options: Record<string, string> = {}, signal = new AbortController().signal) {
  const here = context({ ...world, directory });
  const runner = shellRunner(here);
  return { ...(await runCommand(here, command, options, runner, { signal })), lines: runner.lines, started: runner.started };
}

/** A service that is a marker file: it is up while the file is there. */
const service = type('Service', {
  assertServiceIsUp: { script: { inline: 'test -f up' } },
  startService: {
    private: true,
    options: { port: { type: 'integer', property: 'port', default: 80 } },
    script: { inline: 'echo "listening on $DTKD_OPTION_PORT" | tee up' },
  },
  Start: { workflow: { steps: [{ command: 'assertServiceIsUp', 'on-failure': [{ command: 'startService' }] }] } },
  Stop: { script: { inline: 'rm up' } },
  Status: { script: { inline: 'cat up' } },
});
const chains = { Service: [service] };

describe('Start, which starts what is not up', () => {
  it('starts once, and leaves what runs alone', async () => {
    const world: World = { chains, resource: resource('myService', { properties: { port: 8080 } }) };
    const first = await run(world, 'Start');
    expect(first).toMatchObject({ ok: true, exitStatus: 0 });
    expect(first.lines).toEqual([
      'begin workflow command (1/1) -> "assertServiceIsUp " ...',
      '[warning] error workflow command (1/1) -> "assertServiceIsUp " : exit status 1',
      'begin handler (1/1) -> "startService " ...',
      'listening on 8080',
      'end handler (1/1) -> "startService "',
      'end workflow command (1/1) -> "assertServiceIsUp "',
    ]);
    const again = await run(world, 'Start');
    expect(again.lines).toEqual([
      'begin workflow command (1/1) -> "assertServiceIsUp " ...',
      'end workflow command (1/1) -> "assertServiceIsUp "',
    ]);
    expect(await run(world, 'Stop')).toMatchObject({ ok: true });
    expect(await run(world, 'Status')).toMatchObject({ ok: false, exitStatus: 1, reason: 'exit status 1' });
  });

  it('fails if it cannot be started', async () => {
    const broken = type('Broken', { startService: { private: true, script: { inline: 'echo no luck; exit 9' } } });
    const result = await run({ chains: { Broken: [broken, service] }, resource: resource('b', { type: 'Broken' }) }, 'Start');
    expect(result).toMatchObject({
      ok: false,
      exitStatus: 9,
      reason: 'step 1/1 "assertServiceIsUp": exit status 1; handler 1/1 "startService": exit status 9',
    });
    expect(result.lines).toContain('no luck');
  });
});

describe('what a script gets', () => {
  it('comes from the nearest type, with options from properties and defaults', async () => {
    const custom = type('CustomService', {
      startService: {
        private: true,
        options: { port: { type: 'integer', default: 1 }, greeting: { default: 'hello' } },
        script: { inline: 'echo "$DTKD_OPTION_GREETING $DTKD_RESOURCE_TYPE/$DTKD_RESOURCE_NAME on $DTKD_NODE"' },
      },
    });
    const { lines } = await run(
      { chains: { CustomService: [custom, service] }, resource: resource('mine', { type: 'CustomService' }) },
      'Start',
    );
    expect(lines).toContain('hello CustomService/mine on node1');
  });

  it('is never read by the shell as more than a value', async () => {
    const evil = '"; touch stolen; $(touch stolen) `touch stolen` ${HOME}';
    const echo = type('Service', {
      Echo: {
        options: { text: { required: true } },
        script: { inline: 'printf "%s\\n" "$1" "$DTKD_OPTION_TEXT" "$COPY"', args: ['${options.text}'], env: { COPY: '${options.text}' } },
      },
    });
    const result = await run({ chains: { Service: [echo] } }, 'Echo', { text: evil });
    expect(result.lines).toEqual([evil, evil, evil]);
    expect(await run({ chains }, 'Status')).toMatchObject({ ok: false });
    await expect(readFile(join(directory, 'stolen'))).rejects.toThrow('ENOENT');
  });
});

describe('steps side by side', () => {
  it('run at the same time: each waits for the other', async () => {
    const meet = (mine: string, other: string) => ({
      script: { inline: `touch ${mine}; until test -f ${other}; do :; done; echo ${mine}` },
    });
    const both = type('Service', { Meet: { timeout: '15s', workflow: { order: 'concurrent', steps: [meet('a', 'b'), meet('b', 'a')] } } });
    const result = await run({ chains: { Service: [both] } }, 'Meet');
    expect(result).toMatchObject({ ok: true });
    expect(result.lines.filter((line) => line.length === 1).sort()).toEqual(['a', 'b']);
  });
});

describe('a dispatch over children', () => {
  const site = type('Site', { Start: { dispatch: { command: 'announce', over: 'children', sort: 'startup-rank', strategy: 'local' } } });

  it('starts them by rank', async () => {
    const ranked = (name: string, rank: unknown) => resource(name, { properties: { 'startup-rank': rank } });
    const children = [ranked('web', 10), ranked('db', 1), ranked('queue', '2'), ranked('cache', 2)];
    const order = join(directory, 'order');
    await writeFile(order, '');
    const announce = type('Service', {
      announce: { private: true, script: { inline: 'echo "$DTKD_PROPERTY_STARTUP_RANK $DTKD_RESOURCE_NAME" >> order' } },
    });
    const result = await run(
      { chains: { Site: [site], Service: [announce] }, resource: resource('shop', { type: 'Site' }), children },
      'Start',
    );
    expect(result).toMatchObject({ ok: true });
    expect((await readFile(order, 'utf8')).trim().split('\n')).toEqual(['1 db', '2 cache', '2 queue', '10 web']);
  });
});

describe('a real process', () => {
  it('that takes too long is ended, and the handler of its step follows', async () => {
    const slow = type('Service', {
      Run: {
        workflow: {
          steps: [
            { script: { inline: 'sleep 60' }, name: 'slow', timeout: '50ms', 'on-failure': [{ script: { inline: 'echo handled' } }] },
          ],
        },
      },
    });
    const result = await run({ chains: { Service: [slow] } }, 'Run');
    expect(result).toMatchObject({ ok: true });
    expect(result.lines).toContain('handled');
  });

  it('that is aborted is ended, and nothing follows', async () => {
    const controller = new AbortController();
    const slow = type('Service', {
      Run: {
        workflow: { steps: [{ script: { inline: 'touch begun; sleep 60' }, 'on-failure': [{ script: { inline: 'echo handled' } }] }] },
      },
    });
    const whole = run({ chains: { Service: [slow] } }, 'Run', {}, controller.signal);
    await waitFor(() => readFile(join(directory, 'begun')).then(() => true), { what: 'the script' });
    controller.abort();
    expect(await whole).toMatchObject({ ok: false, signal: 'SIGKILL', error: { code: 'ABORTED' } });
    expect((await whole).lines).not.toContain('handled');
  });

  it('is tried again until it goes well', async () => {
    const flaky = type('Service', {
      Run: {
        workflow: {
          steps: [{ script: { inline: 'echo x >> tries; test "$(wc -l < tries)" -ge 3' }, retry: { attempts: 5, delay: '1ms' } }],
        },
      },
    });
    const result = await run({ chains: { Service: [flaky] } }, 'Run');
    expect(result).toMatchObject({ ok: true });
    expect(result.started).toHaveLength(3);
  });
});
