import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import { executionKind } from '../../../protocol/kinds/execution.ts';
import { FakeDaemon } from '../fake-daemon.ts';
import { ended, executionObject, FINISHED, ID, linesOf, output, part, running, START, STARTED_AT, telling } from './fake-execution.ts';

const DISPATCH = /\/daemon\/dispatch$/;
const about = (action: string) => new RegExp(`/daemon/executions/1a2b3c${action}$`);

describe('dtkd run, exec and executions', () => {
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = await FakeDaemon.start();
  });
  afterEach(() => daemon.stop());

  const asked = (): unknown => daemon.asked.find(({ method }) => method === 'POST')?.body;
  const two = executionObject([part(0, { node: 'node1' }), part(1, { node: 'node2' })]);

  it('run says in one line what ctl says in many', async () => {
    daemon.script('POST', DISPATCH, () => ({
      lines: linesOf(
        { execution: two },
        output(0, 'node1', 0, ['out', 'a\n']),
        output(1, 'node2', 0, ['out', 'b']),
        ended(1, 'node2', 'succeeded'),
        ended(0, 'node1', 'succeeded', { dropped: 2048 }),
        FINISHED,
      ),
    }));
    const flags = [
      '--on',
      'all',
      '--not-on',
      'tags=dev',
      '-m',
      'demo',
      '--set',
      'port=80',
      '--set',
      'text=a=b',
      '--batch',
      '10%',
      '--pause-on-failure',
    ];
    const { code, stdout, stderr } = await daemon.cli('run', 'Start', 'service/myService', ...flags);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'node1: a\nnode2: b\n' });
    expect(stderr).toBe('node1: output was cut here: 2.0 KiB beyond the cap were not kept\n2 targets: 2 succeeded\n');
    expect(asked()).toEqual({
      request: {
        model: 'demo',
        type: 'service',
        resource: 'myService',
        command: 'Start',
        options: { port: '80', text: 'a=b' },
        filter: { include: ['.*'], exclude: ['tags=dev'] },
        threads: 16,
        keepGoing: true,
        batch: '10%',
        pauseOnFailure: true,
      },
      follow: true,
    });
  });

  it.each([
    [['run', 'Start', 'service/'], 'is not TYPE/NAME'],
    [['run', 'service/web', 'Start'], 'dtkd run Start service/web'],
    [['run', 'Start', 'web', '--set', 'port'], 'is not NAME=VALUE'],
    [['run', 'Start', 'web', '--pause-on-failure'], 'works only with --batch'],
    [['run', 'Start', 'web', '--batch', 'half'], 'is not the size of a batch'],
    [['run', 'Start', 'web', '--timeout', 'soon'], 'is not a duration'],
    [['run', 'Start', 'web', '--group', '--raw'], 'cannot be used together'],
    [['run', 'Start', 'web', '--raw', '-o', 'json'], 'cannot be used together'],
    [['exec', '-I', '.*', '--', 'df -h | tail'], 'no shell reads it'],
    [['executions', 'show', 'zz'], 'is not the id of an execution'],
  ])('refuses %j before anything is asked', async (args, message) => {
    expect(await daemon.cli(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    expect(daemon.asked).toEqual([]);
  });

  it('exec runs a program with its arguments as they are, and passes bytes through', async () => {
    const bytes = Buffer.from([0, 0xff, 0x1b, 0x0a, 0x41]);
    daemon.script('POST', DISPATCH, () => ({
      lines: linesOf(
        { execution: two },
        output(0, 'node1', 0, ['log', 'begin'], ['out', bytes]),
        ended(0, 'node1', 'succeeded'),
        ended(1, 'node2', 'succeeded'),
        FINISHED,
      ),
    }));
    const flags = ['-I', 'name=node1', '--user', 'www', '--dir', '/srv', '--env', 'A=1', '--raw'];
    const { stdout } = await daemon.cli('exec', ...flags, '--', 'tar', '-c', 'a b');
    expect(Buffer.from(stdout)).toEqual(Buffer.from(bytes.toString('utf8')));
    expect(asked()).toMatchObject({
      request: { exec: { argv: ['tar', '-c', 'a b'], user: 'www', directory: '/srv', env: { A: '1' } }, threads: 16, keepGoing: true },
    });
  });

  it('groups the output of each target, when all of it is there', async () => {
    daemon.script('GET', about('/follow'), () => ({
      lines: linesOf(
        {
          execution: executionObject([
            part(0, { node: 'node1', state: 'ended', outcome: 'succeeded', offset: 4, startedAt: STARTED_AT, endedAt: STARTED_AT + 400 }),
            part(1, { node: 'node2' }),
          ]),
        },
        running(1, 'node2'),
        output(1, 'node2', 0, ['out', 'b1\n']),
        output(0, 'node1', 0, ['out', 'a1\n'], ['out', 'a']),
        output(1, 'node2', 3, ['out', 'b2\n']),
        ended(1, 'node2', 'failed', { exitStatus: 3, offset: 6 }),
        FINISHED,
      ),
    }));
    const { code, stdout } = await daemon.cli('executions', 'follow', '1a2b3c', '--group');
    expect(stdout).toBe(`---- node1 ${START}: succeeded (0.4s) ----
a1
a
---- node2 ${START}: failed, exit status 3 (0.3s) ----
b1
b2
`);
    expect(code).toBe(20);
  });

  it('groups lines of JSON by target, too, each with where it comes from', async () => {
    daemon.script('GET', about('/follow'), () => ({
      lines: linesOf(
        { execution: two },
        running(0, 'node1'),
        running(1, 'node2'),
        output(1, 'node2', 0, ['out', 'b1\n']),
        output(0, 'node1', 0, ['out', 'a1\n'], ['err', 'a']),
        output(1, 'node2', 3, ['err', 'b2\n']),
        ended(1, 'node2', 'failed', { exitStatus: 3, offset: 6 }),
        ended(0, 'node1', 'succeeded', { offset: 4 }),
        FINISHED,
      ),
    }));
    const { code, stdout } = await daemon.cli('executions', 'follow', '1a2b3c', '--group', '-o', 'json');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ type, node, stream, text, outcome, exitStatus }) => [type, node, stream ?? outcome, text ?? exitStatus])).toEqual([
      ['execution', undefined, undefined, undefined],
      ['output', 'node2', 'out', 'b1'],
      ['output', 'node2', 'err', 'b2'],
      ['part', 'node2', 'failed', 3],
      ['output', 'node1', 'out', 'a1'],
      ['output', 'node1', 'err', 'a'],
      ['part', 'node1', 'succeeded', undefined],
      ['end', undefined, undefined, 20],
    ]);
    expect(code).toBe(20);
  });

  it('names the node before each line, whatever started it', async () => {
    daemon.script('GET', about('/follow'), () => ({
      lines: linesOf(
        { execution: two },
        telling(0, 'node1'),
        output(0, 'node1', 0, ['out', 'a1\n']),
        ended(0, 'node1', 'succeeded'),
        ended(1, 'node2', 'succeeded'),
        FINISHED,
      ),
    }));
    expect((await daemon.cli('executions', 'follow', '1a2b3c')).stdout).toBe('node1: a1\n');
  });

  it('writes a line of JSON for each line of output, with where it comes from', async () => {
    daemon.script('GET', about('/follow'), () => ({
      lines: linesOf(
        { execution: two },
        output(0, 'node1', 0, ['out', 'a1\na2']),
        ended(0, 'node1', 'succeeded'),
        ended(1, 'node2', 'unknown'),
        FINISHED,
      ),
    }));
    const { code, stdout } = await daemon.cli('executions', 'follow', '1A2B3C', '-o', 'json');
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const origin = {
      type: 'output',
      node: 'node1',
      index: 0,
      model: 'demo',
      resourceType: 'Service',
      resource: 'myService',
      command: 'Start',
      step: 1,
      stepCommand: 'Start',
      stream: 'out',
      time: '2026-01-01T00:00:00.000Z',
    };
    expect(lines[0]).toEqual({ type: 'execution', id: ID, starter: 'node0', user: 'greg@node0' });
    expect(lines[1]).toEqual({ ...origin, text: 'a1' });
    expect(lines[2]).toEqual({ ...origin, text: 'a2', newline: false });
    expect(lines[3]).toMatchObject({ type: 'part', node: 'node1', outcome: 'succeeded', startedAt: new Date(STARTED_AT).toISOString() });
    expect(lines.at(-1)).toEqual({ type: 'end', id: ID, ending: 'finished', exitStatus: 22 });
    expect(code).toBe(22);
  });

  it('tells of parts that no node knows', async () => {
    daemon.script('GET', about('/follow'), () => ({
      lines: linesOf(
        { execution: executionObject([part(0, { node: 'node1', state: 'ended', outcome: 'succeeded' })]) },
        { end: { phase: 'Finished', missing: 2 } },
      ),
    }));
    const { code, stderr } = await daemon.cli('executions', 'follow', '1a2b3c');
    expect(code).toBe(22);
    expect(stderr).toContain('No node could tell what became of 2 more');
  });

  it('does not wait for absent targets, unless it is asked to', async () => {
    const queued = { part: part(0, { node: 'node1', state: 'queued', holders: ['node2', 'node3'] }) };
    daemon.script('POST', DISPATCH, () => ({
      lines: linesOf({ execution: two }, ended(1, 'node2', 'succeeded'), queued, new Promise(() => undefined)),
    }));
    const { code, stderr } = await daemon.cli('run', 'Start', 'web', '--on', 'all', '--queue', '24h');
    expect(code).toBe(24);
    expect(stderr).toBe('2 targets: 1 succeeded, 1 queued\nOrders wait for the rest. See: dtkd executions show 1a2b3c4d5e6f\n');
  });

  it('tells that all is well on the one node that was chosen, though nothing was written there', async () => {
    const one = executionObject([part(0, { node: 'node1' })]);
    daemon.script('POST', DISPATCH, () => ({ lines: linesOf({ execution: one }, ended(0, 'node1', 'succeeded'), FINISHED) }));
    expect(await daemon.cli('run', 'Stop', 'web', '--on', 'all')).toEqual({ code: 0, stdout: '', stderr: '1 target: 1 succeeded\n' });
    expect(await daemon.cli('run', 'Stop', 'web')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('show tells what became of each target', async () => {
    const parts = [
      part(0, {
        node: 'node1',
        state: 'ended',
        outcome: 'succeeded',
        startedAt: STARTED_AT,
        endedAt: STARTED_AT + 1_200,
        offset: 90,
        printed: 20,
      }),
      part(1, { node: 'node2', state: 'queued', holders: ['node3'] }),
      part(2, { node: 'node3', state: 'running', offset: 70 }),
    ];
    daemon.script('GET', about(''), () => executionObject(parts, { phase: 'Finished' }));
    const { stdout } = await daemon.cli('executions', 'show', '1a2b3c');
    expect(stdout).toMatch(new RegExp(`^Id: +${ID}$`, 'm'));
    expect(stdout).toMatch(/^Started: +2026-01-01T00:00:00Z, by greg@node0 on node0$/m);
    expect(stdout).toMatch(/^node1 +succeeded +1\.2s +20 B$/m);
    expect(stdout).toMatch(/^Phase: +Finished, took 1\.2s$/m);
    expect(stdout).toMatch(/^node2 +queued +0 B +held by node3$/m);
    expect(stdout).toMatch(/^node3 +running +up to 70 B$/m);
  });

  it('abort does not claim to have ended what had ended before', async () => {
    daemon.script('POST', about('/abort'), () => ({ id: ID, told: [], notTold: [] }));
    const over = part(0, { node: 'node1', state: 'ended', outcome: 'succeeded' });
    daemon.script('GET', about(''), () => executionObject([over], { phase: 'Finished' }));
    expect((await daemon.cli('executions', 'abort', '1a2b3c')).stdout).toBe(
      '1a2b3c4d5e6f has ended already: 1 target: 1 succeeded. Nothing was aborted.\n',
    );
    daemon.script('GET', about(''), () => executionObject([part(0, { node: 'node1', state: 'waiting' })]));
    expect((await daemon.cli('executions', 'abort', '1a2b3c')).stdout).toBe(
      'Aborted 1a2b3c4d5e6f: no target was running, and none starts any more\n',
    );
  });

  it('abort says who was told, and who was not', async () => {
    daemon.script('GET', about(''), () => executionObject([part(0, { node: 'node1' }), part(1, { node: 'node2' })]));
    daemon.script('POST', about('/abort'), () => ({
      id: ID,
      told: [{ index: 0, node: 'node1' }],
      notTold: [{ index: 1, node: 'node2', reason: 'it does not answer' }],
    }));
    const { code, stdout, stderr } = await daemon.cli('executions', 'abort', '1a2b3c');
    expect({ code, stdout }).toEqual({ code: 22, stdout: 'Aborted 1a2b3c4d5e6f: node1\n' });
    expect(stderr).toBe('These could not be told, and it may go on there:\n  node2   it does not answer\n');
    daemon.script('POST', about('/abort'), () => ({
      id: ID,
      told: [],
      notTold: [{ index: 1, node: 'node2', reason: 'it does not answer' }],
    }));
    expect(await daemon.cli('executions', 'abort', '1a2b3c')).toMatchObject({
      code: 22,
      stdout: 'Aborted 1a2b3c4d5e6f: no target starts any more\n',
    });
  });

  it('retry shows what it would take, and takes it', async () => {
    daemon.script('POST', about('/retry'), ({ body }) =>
      (body as { dryRun?: boolean }).dryRun === true
        ? { targets: [{ index: 0, stage: 0, node: 'node2', what: START }], unanswered: [], notes: [] }
        : { lines: linesOf({ execution: executionObject([part(0, { node: 'node2' })]) }, ended(0, 'node2', 'succeeded'), FINISHED) },
    );
    expect((await daemon.cli('executions', 'retry', '1a2b3c', '--dry-run')).stdout).toBe(
      `NODE    WHAT\nnode2   ${START}\n1 target would be told. Nothing was started.\n`,
    );
    expect((await daemon.cli('executions', 'retry', '1a2b3c')).code).toBe(0);
  });

  it('says where one goes on that is paused at another node', async () => {
    const parts = [part(0, { node: 'node1', state: 'ended', outcome: 'failed' }), part(1, { node: 'node2', paused: true })];
    for (const [elsewhere, pause, said] of [
      [true, {}, 'It is paused. Go on, at node0: dtkd executions resume 1a2b3c4d5e6f\n'],
      [false, { pause: 2 }, 'It is paused. Go on: dtkd executions resume 1a2b3c4d5e6f --pause 2\n'],
    ] as const) {
      const end = { end: { phase: 'Paused', ...pause } };
      daemon.script('GET', about('/follow'), () => ({
        lines: linesOf({ execution: executionObject(parts, { phase: 'Paused', elsewhere }) }, end),
      }));
      const { code, stderr } = await daemon.cli('executions', 'follow', '1a2b3c');
      expect(code).toBe(23);
      expect(stderr).toContain(said);
    }
  });

  it('resume lets it go on, and follows it', async () => {
    const pauses: unknown[] = [];
    daemon.script('GET', about(''), () => executionObject([part(0, { node: 'node1' })], { phase: 'Paused', pauses: 3 }));
    daemon.script('POST', about('/resume'), ({ body }) => {
      pauses.push(body);
      return {};
    });
    daemon.script('GET', about('/follow'), () => ({
      lines: linesOf({ execution: two }, ended(0, 'node1', 'succeeded'), ended(1, 'node2', 'succeeded'), FINISHED),
    }));
    expect(await daemon.cli('executions', 'resume', '1a2b3c')).toMatchObject({ code: 0, stderr: '2 targets: 2 succeeded\n' });
    await daemon.cli('executions', 'resume', '1a2b3c', '--pause', '2', '--detach');
    expect(pauses).toEqual([{ pause: 3 }, { pause: 2 }]);
  });

  it.each(['--loglevel=info', '--group', '--output=json'])('resume %s shows nothing again of what came before the pause', async (flag) => {
    const before = part(0, { node: 'node1', state: 'ended', outcome: 'failed', exitStatus: 1, offset: 4 });
    const unknown = part(1, { node: 'node2', state: 'ended', outcome: 'unknown', offset: 6 });
    const waiting = part(2, { node: 'node3', state: 'waiting' });
    daemon.script('GET', about(''), () => executionObject([before, unknown, waiting], { phase: 'Paused', pauses: 1 }));
    daemon.script('POST', about('/resume'), () => executionObject([before, unknown, waiting]));
    const asked: (string | null)[] = [];
    daemon.script('GET', about('/follow'), ({ query }) => {
      asked.push(query.get('from'));
      return {
        lines: linesOf(
          { execution: executionObject([before, unknown, waiting]) },
          output(0, 'node1', 0, ['out', 'old\n']),
          ended(0, 'node1', 'failed', { exitStatus: 1, offset: 4 }),
          output(1, 'node2', 0, ['out', 'found\n']),
          ended(1, 'node2', 'succeeded', { offset: 6 }),
          output(2, 'node3', 0, ['out', 'new\n']),
          ended(2, 'node3', 'succeeded', { offset: 4 }),
          FINISHED,
        ),
      };
    });
    const { code, stdout, stderr } = await daemon.cli('executions', 'resume', '1a2b3c', flag);
    expect(asked).toEqual(['{"0":4}']);
    expect(stdout).toMatch(/found.*new/s);
    expect(stdout).not.toMatch(/old|node1/);
    expect(code).toBe(20);
    expect(stderr).toContain(flag === '--output=json' ? '' : '3 targets: 2 succeeded, 1 failed');
  });

  it('shows errors of the daemon as they are', async () => {
    daemon.script('GET', about('/follow'), () => {
      throw new DtkdError('NOT_FOUND', 'no execution begins with 1a2b3c', { next: 'See "dtkd executions ls -A".' });
    });
    expect(await daemon.cli('executions', 'follow', '1a2b3c')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('no execution begins'),
    });
  });

  it('ls shows one line for each, whoever knows it, the latest first', async () => {
    daemon.put(
      executionKind,
      ID,
      executionObject([part(0, { node: 'node1', state: 'ended', outcome: 'succeeded' })], { phase: 'Finished' }),
    );
    const other = executionObject([part(0, { node: 'node2', state: 'running', startedAt: STARTED_AT })]);
    daemon.put(executionKind, 'f'.repeat(64), {
      ...other,
      metadata: { name: 'f'.repeat(64) },
      status: { ...(other['status'] as object), startedAt: '2026-02-01T00:00:00Z' },
    });
    const { stdout } = await daemon.cli('executions', 'ls');
    expect(stdout.split('\n').map((line) => line.split(/ {3,}/)[0])).toEqual(['ID', 'ffffffffffff', '1a2b3c4d5e6f', '']);
    expect((await daemon.cli('executions', 'ls', '--limit', '1')).stderr).toBe('1 earlier one is not shown; see --limit.\n');
    // within the same second what was refused came when it was
    daemon.put(executionKind, 'e'.repeat(64), {
      ...executionObject([part(0, { node: 'node2' })]),
      metadata: { name: 'e'.repeat(64) },
      status: {
        ...(other['status'] as object),
        startedAt: '2026-02-01T00:00:00Z',
        parts: [part(0, { node: 'node2', state: 'ended', outcome: 'refused', endedAt: STARTED_AT - 1 })],
      },
    });
    expect((await daemon.cli('executions', 'ls', '-o', 'name', '--limit', '2')).stdout).toBe(
      ['f', 'e'].map((digit) => `execution.dtkd.dev/${digit.repeat(64)}\n`).join(''),
    );
    // within the same second what has not started yet came last
    daemon.put(executionKind, 'a'.repeat(64), {
      ...executionObject([part(0, { node: 'node2', state: 'waiting' })]),
      metadata: { name: 'a'.repeat(64) },
      status: { ...(other['status'] as object), startedAt: '2026-02-01T00:00:00Z', parts: [part(0, { node: 'node2', state: 'waiting' })] },
    });
    expect((await daemon.cli('executions', 'ls', '-o', 'name', '--limit', '1')).stdout).toBe(`execution.dtkd.dev/${'a'.repeat(64)}\n`);
    // a script as an argument makes no table of it that nobody can read
    const script = `exec sh -c ${'x'.repeat(500)}`;
    daemon.put(executionKind, 'f'.repeat(64), {
      ...executionObject([part(0, { node: 'node2', what: script })]),
      metadata: { name: 'f'.repeat(64) },
      status: { ...(other['status'] as object), startedAt: '2026-02-01T00:00:00Z', parts: [part(0, { node: 'node2', what: script })] },
    });
    expect((await daemon.cli('executions', 'ls')).stdout).toContain(` ${script.slice(0, 59)}…   `);
    expect((await daemon.cli('executions', 'ls', '-o', 'wide')).stdout).toContain(` ${script}   `);
    expect((await daemon.cli('executions', 'ls', '-o', 'name', '--limit', '1')).stdout).toBe(`execution.dtkd.dev/${'f'.repeat(64)}\n`);
  });
});
