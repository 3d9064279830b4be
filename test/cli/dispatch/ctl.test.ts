import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import { executionKind } from '../../../protocol/kinds/execution.ts';
import { typeKind } from '../../../protocol/kinds/type.ts';
import { Child } from '../../harness/child.ts';
import { DTKD, NODE } from '../../harness/node-binary.ts';
import { waitFor } from '../../wait.ts';
import { FakeDaemon } from '../fake-daemon.ts';
import { ended, executionObject, FINISHED, ID, linesOf, output, part, running, START, telling } from './fake-execution.ts';

const DISPATCH = /\/daemon\/dispatch$/;
const FOLLOW = new RegExp(`/daemon/executions/${ID.slice(0, 12)}.*/follow$`);
const CONTEXT = ['-t', 'Service', '-r', 'myService', '-c', 'Start'];

describe('dtkd ctl', () => {
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = await FakeDaemon.start();
  });
  afterEach(() => daemon.stop());

  const asked = (): unknown => daemon.asked.find(({ method, path }) => method === 'POST' && DISPATCH.test(path))?.body;
  const answer = (...lines: unknown[]): void => daemon.script('POST', DISPATCH, () => ({ lines: linesOf(...lines) }));

  it('writes what ControlTier wrote: plain lines of this node, prefixed ones of others', async () => {
    const steps = (index: number, node: string) =>
      output(
        index,
        node,
        0,
        ['log', 'begin workflow command (1/1) -> "assertServiceIsUp " ...'],
        ['out', 'it is '],
        ['out', 'up\n'],
        ['log', 'end workflow command (1/1) -> "assertServiceIsUp "'],
      );
    answer(
      { execution: executionObject([part(0, { node: 'node0' }), part(1, { node: 'node1' })]) },
      telling(0, 'node0'),
      running(0, 'node0'),
      steps(0, 'node0'),
      ended(0, 'node0', 'succeeded'),
      telling(1, 'node1'),
      running(1, 'node1'),
      steps(1, 'node1'),
      ended(1, 'node1', 'succeeded'),
      FINISHED,
    );
    const { code, stdout, stderr } = await daemon.cli('ctl', '-I', '.*', ...CONTEXT);
    expect(stdout).toBe(`begin workflow command (1/1) -> "assertServiceIsUp " ...
it is up
end workflow command (1/1) -> "assertServiceIsUp "
Connecting to node1 ...
cmd : ctl -p demo -t Service -r myService -c Start
[greg@node1 ${START}][INFO] begin workflow command (1/1) -> "assertServiceIsUp " ...
[greg@node1 ${START}][INFO] it is up
[greg@node1 ${START}][INFO] end workflow command (1/1) -> "assertServiceIsUp "
`);
    expect(stderr).toBe('2 targets: 2 succeeded\n');
    expect(code).toBe(0);
    expect(asked()).toEqual({
      request: {
        type: 'Service',
        resource: 'myService',
        command: 'Start',
        filter: { include: ['.*'] },
        threads: 1,
        keepGoing: false,
      },
      follow: true,
    });
  });

  it('asks for what the flags of the seed say', async () => {
    answer({ execution: executionObject([part(0, { node: 'node0' })]) }, ended(0, 'node0', 'succeeded'), FINISHED);
    const flags = ['-X', 'tags=dev', '-I', 'osfamily=unix', '-C', '8', '-K', '-p', 'demo', '-Q', '24h', '--timeout', '1h30m'];
    const { code } = await daemon.cli('ctl', ...flags, ...CONTEXT, '--', '-version', '1.2', '-force', '-offset', '-5', '-text=-x');
    expect(code).toBe(0);
    expect(asked()).toMatchObject({
      request: {
        model: 'demo',
        options: { version: '1.2', force: 'true', offset: '-5', text: '-x' },
        filter: { include: ['osfamily=unix'], exclude: ['tags=dev'] },
        threads: 8,
        keepGoing: true,
        queue: '86400s',
        timeout: '5400s',
      },
    });
  });

  it('takes a forgotten value for no text "true"', async () => {
    const options = { version: { type: 'string' }, force: { type: 'boolean' } };
    daemon.script('GET', DISPATCH, () => ({ resources: [], commands: [{ name: 'Start', type: 'Service', command: { options } }] }));
    answer({ execution: executionObject([part(0, { node: 'node0' })]) }, ended(0, 'node0', 'succeeded'), FINISHED);
    const refused = await daemon.cli('ctl', ...CONTEXT, '--', '-version', '-force');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('the option "version" (string) has no value') });
    expect(asked()).toBeUndefined();
    expect((await daemon.cli('ctl', ...CONTEXT, '--', '-version', '1', '-force')).code).toBe(0);
    expect(asked()).toMatchObject({ request: { options: { version: '1', force: 'true' } } });
  });

  it('leads words of the command behind the dashes', async () => {
    const { code, stderr } = await daemon.cli('ctl', ...CONTEXT, '-version', '3');
    expect(code).toBe(2);
    expect(stderr).toContain('stand after --, as in: dtkd ctl … -- … -version');
    expect((await daemon.cli('exec', 'uname', '-s')).stderr).toContain('dtkd exec … -- … -s');
  });

  it('leads who chooses nodes with the flag of another command to that of this one', async () => {
    for (const [command, flag, own] of [
      ['exec', '--on', '-I'],
      ['ctl', '--on', '-I'],
      ['ctl', '--not-on', '-X'],
      ['run', '-I', '--on'],
      ['run', '-X', '--not-on'],
    ] as const) {
      const { code, stderr } = await daemon.cli(command, flag, 'name=node1', '--', 'id');
      expect({ code, stderr }, command).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`next: "dtkd ${command}" chooses nodes with ${own}. See "dtkd ${command} --help".`),
      });
    }
  });

  it('says what was looked for where there is nothing', async () => {
    daemon.script('GET', DISPATCH, () => ({ models: [], types: [], resources: [] }));
    expect((await daemon.cli('ctl', '-p', 'shp')).stdout).toContain('There is no resource in model "shp" that you may READ.');
    expect((await daemon.cli('ctl')).stdout).toContain('There is nothing here that you may READ and could run.');
  });

  it('leaves out what both -I and -X match, unless -Z says otherwise', async () => {
    answer({ execution: executionObject([part(0, { node: 'node0' })]) }, ended(0, 'node0', 'succeeded'), FINISHED);
    const precedence = async (...flags: string[]): Promise<unknown> => {
      daemon.asked.length = 0;
      await daemon.cli('ctl', ...flags, ...CONTEXT);
      return asked();
    };
    expect(await precedence('-I', 'a', '-X', 'b')).not.toMatchObject({ request: { filter: { excludePrecedence: false } } });
    expect(await precedence('-I', 'a', '-X', 'b', '-Z', 'false')).toMatchObject({ request: { filter: { excludePrecedence: false } } });
    expect(await precedence('-I', 'a', '-X', 'b', '-Z', 'true')).toMatchObject({ request: { filter: { excludePrecedence: true } } });
    expect(await daemon.cli('ctl', '-Z', 'maybe', ...CONTEXT)).toMatchObject({ code: 2, stderr: expect.stringContaining('true or false') });
  });

  it('advises no retry where all was refused for want of rights', async () => {
    const refused = { reason: 'the operator of node0 has no rights on node1. Make a user for it', code: 'FORBIDDEN' };
    answer({ execution: executionObject([part(0, { node: 'node1' })]) }, ended(0, 'node1', 'refused', refused), FINISHED);
    const { code, stderr } = await daemon.cli('ctl', '-I', '.*', ...CONTEXT);
    expect(code).toBe(20);
    expect(stderr).toContain('has no rights on node1. Make a user');
    expect(stderr).not.toContain('Retry');
  });

  it('sums failures up, with the commands that retry them', async () => {
    answer(
      { execution: executionObject(['node1', 'node2', 'node3', 'node4'].map((node, index) => part(index, { node }))) },
      ended(0, 'node1', 'succeeded'),
      output(1, 'node2', 0, ['err', 'no disk']),
      ended(1, 'node2', 'failed', { exitStatus: 3 }),
      ended(2, 'node3', 'refused', { reason: 'greg@node0 may not EXECUTE it' }),
      ended(3, 'node4', 'unreachable', { reason: 'it does not answer' }),
      FINISHED,
    );
    const { code, stderr } = await daemon.cli('ctl', '-I', '.*', '-K', ...CONTEXT, '--', '-version', '1 2');
    expect(code).toBe(20);
    expect(stderr).toBe(`[greg@node2 ${START}][WARN] no disk
4 targets: 1 succeeded, 1 failed, 1 refused, 1 unreachable
Execution failed on the following nodes: [node2,node3,node4]
  node2   failed        exit status 3
  node3   refused       greg@node0 may not EXECUTE it
  node4   unreachable   it does not answer
Retry them: dtkd executions retry 1a2b3c4d5e6f
Or:         dtkd ctl -I name=node2,node3,node4 -K -t Service -r myService -c Start -- -version '1 2'
`);
  });

  it('repeats in the line that retries them how they are to go', async () => {
    answer({ execution: executionObject([part(0, { node: 'node1' })]) }, ended(0, 'node1', 'failed', { exitStatus: 3 }), FINISHED);
    const how = ['--timeout', '60s', '--queue', '3600s', '--batch', '10%', '--pause-on-failure'];
    const { stderr } = await daemon.cli('ctl', '-I', '.*', ...how, ...CONTEXT);
    expect(stderr).toContain(`-c Start ${how.join(' ')}\n`);
  });

  it('says of no node that was skipped that it has failed', async () => {
    const skipped = ended(1, 'node2', 'skipped', { reason: 'in maintenance: new disks' });
    const both = executionObject([part(0, { node: 'node1' }), part(1, { node: 'node2' })]);
    answer({ execution: both }, ended(0, 'node1', 'succeeded'), skipped, FINISHED);
    const { stderr } = await daemon.cli('ctl', '-I', '.*', ...CONTEXT);
    expect(stderr).toContain('  node2   skipped   in maintenance: new disks');
    expect(stderr).not.toContain('failed');
    answer({ execution: both }, ended(0, 'node1', 'failed', { exitStatus: 1 }), skipped, FINISHED);
    expect((await daemon.cli('ctl', '-I', '.*', ...CONTEXT)).stderr).toContain('Execution failed on the following nodes: [node1]\n');
  });

  it.each([
    [21, [ended(0, 'node1', 'succeeded'), ended(1, 'node2', 'skipped', { reason: 'in maintenance: new disks' })]],
    [22, [ended(0, 'node1', 'unreachable'), ended(1, 'node2', 'unknown')]],
    [24, [{ part: part(0, { node: 'node1', state: 'queued', holders: ['node2'] }) }, ended(1, 'node2', 'succeeded')]],
  ])('exits with %i for what became of the targets', async (status, lines) => {
    answer({ execution: executionObject([part(0, { node: 'node1' }), part(1, { node: 'node2' })]) }, ...lines, FINISHED);
    expect((await daemon.cli('ctl', '-I', '.*', ...CONTEXT)).code).toBe(status);
  });

  it('says how a paused execution goes on', async () => {
    const failed = [ended(0, 'node1', 'failed', { exitStatus: 1 }), { end: { phase: 'Paused' } }];
    answer({ execution: executionObject([part(0, { node: 'node1' }), part(1, { node: 'node2' })]) }, ...failed);
    const { code, stderr } = await daemon.cli('ctl', '-I', '.*', '--batch', '1', '--pause-on-failure', ...CONTEXT);
    expect(code).toBe(23);
    expect(stderr).toContain('dtkd executions resume 1a2b3c4d5e6f\n');
  });

  it('lists what could be run where the context is incomplete', async () => {
    daemon.script('GET', DISPATCH, ({ query }) =>
      query.get('resource') === null
        ? {
            types: [{ name: 'Service', description: 'a service' }],
            resources: [{ node: 'node0', model: 'demo', type: 'Service', name: 'myService', deployments: ['node0', 'node1'] }],
            unanswered: ['node9'],
          }
        : {
            commands: [
              {
                name: 'Start',
                type: 'Service',
                command: {
                  description: 'starts it',
                  options: { port: { type: 'integer', required: true, description: 'where' }, force: { type: 'boolean', default: false } },
                  workflow: { steps: [{ command: 'assertServiceIsUp' }] },
                },
              },
            ],
            unanswered: [],
          },
    );
    expect((await daemon.cli('ctl')).stdout).toBe(`Types (-t):
  Service   a service

Resources (-t -r):
  Service   myService   demo of node0   on node0, node1
No answer from node9: what they have may be missing here.
`);
    expect((await daemon.cli('ctl', '-t', 'Service', '-r', 'myService')).stdout).toBe(`Commands (-c):
  Start   starts it (Service)
      -port <integer>   required        where
      -force            default false
`);
    expect((await daemon.cli('ctl', '--list', 'types')).stdout).toBe('Service\n');
    expect((await daemon.cli('ctl', '-r', 'myService', '-c', 'Start', '--list', 'commands')).stdout).toBe('Start\n');
    expect((await daemon.cli('ctl', '--list', 'targets')).stdout).toBe('myService\nService/myService\n');
    daemon.put(typeKind, 'service', { spec: { name: 'Service', commands: { Stop: {}, Start: {} } } });
    expect((await daemon.cli('ctl', '--list', 'commands')).stdout).toBe('Start\nStop\n');
    const withOptions = await daemon.cli('ctl', '-c', 'Start', '--', '-port', '80');
    expect(withOptions).toMatchObject({ code: 2, stderr: expect.stringContaining('must be named together') });
  });

  it('lists resources that have the command, where only the resource is left out', async () => {
    const myService = { node: 'node0', model: 'demo', type: 'Service', name: 'myService', deployments: ['node0'] };
    daemon.script('GET', DISPATCH, ({ query }) =>
      query.get('command') === 'Start' ? { resources: [myService], unanswered: [] } : { resources: [], unanswered: [] },
    );
    const listed = 'Resources (-t -r):\n  Service   myService   demo of node0   on node0\n';
    for (const context of [
      ['-c', 'Start'],
      ['-t', 'Service', '-c', 'Start'],
      ['-p', 'demo', '-t', 'Service', '-c', 'Start'],
    ]) {
      expect(await daemon.cli('ctl', ...context)).toMatchObject({ code: 0, stdout: listed });
    }
    expect((await daemon.cli('ctl', '-c', 'Start', '--list', 'resources')).stdout).toBe('myService\n');
    expect((await daemon.cli('ctl', '-t', 'Service', '-p', 'demo', '-c', 'Wipe')).stdout).toContain(
      'There is no resource of type "Service" in model "demo" with a command "Wipe" that you may READ.',
    );
    daemon.script('GET', DISPATCH, () => ({ resources: [myService], truncated: true, unanswered: [] }));
    expect((await daemon.cli('ctl')).stdout).toBe(
      `${listed}\nThere are more than these: name a model (-p) or a type (-t) to see the others.\n`,
    );
  });

  it('tells what it would do, and does nothing', async () => {
    daemon.script('POST', DISPATCH, () => ({
      targets: [
        { index: 0, stage: 0, node: 'node1', what: START },
        { index: 1, stage: 1, node: 'node2', what: START, skip: 'in maintenance' },
      ],
      unanswered: [],
      notes: ['2 stages'],
    }));
    const { code, stdout } = await daemon.cli('ctl', '-I', '.*', '--dry-run', ...CONTEXT);
    expect(asked()).toMatchObject({ dryRun: true });
    expect(code).toBe(0);
    expect(stdout).toBe(`STAGE   NODE    WHAT                           NOT TOLD
1       node1   ${START}
2       node2   ${START}   in maintenance
1 target would be told, 1 skipped. Nothing was started.
2 stages
`);
  });

  it('keeps the nodes that are left in the file of -F, until there are none', async () => {
    const file = join(daemon.dir, 'failed');
    const nodes = executionObject([part(0, { node: 'node1' }), part(1, { node: 'node2' })]);
    answer({ execution: nodes }, ended(0, 'node1', 'succeeded'), ended(1, 'node2', 'failed'), FINISHED);
    expect((await daemon.cli('ctl', '-I', '.*', '-F', file, ...CONTEXT)).code).toBe(20);
    expect(await readFile(file, 'utf8')).toBe('node2\n');
    answer({ execution: executionObject([part(0, { node: 'node2' })]) }, ended(0, 'node2', 'succeeded'), FINISHED);
    daemon.asked.length = 0;
    expect((await daemon.cli('ctl', '-F', file, ...CONTEXT)).code).toBe(0);
    expect(asked()).toMatchObject({ request: { only: ['node2'], filter: { include: ['.*'] } } });
    await expect(readFile(file)).rejects.toThrow('ENOENT');
    await writeFile(file, '# none\n');
    expect(await daemon.cli('ctl', '-F', file, ...CONTEXT)).toMatchObject({ code: 2, stderr: expect.stringContaining('lists no nodes') });
  });

  it('starts it and leaves it alone', async () => {
    daemon.script('POST', DISPATCH, () => executionObject([part(0, { node: 'node1' })]));
    const { code, stdout, stderr } = await daemon.cli('ctl', '--detach', ...CONTEXT);
    expect(asked()).not.toHaveProperty('follow');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${ID}\n` });
    expect(stderr).toBe('Started. Follow it: dtkd executions follow 1a2b3c4d5e6f\n');
  });

  it('comes back after a cut with the offsets that it had reached', async () => {
    const object = executionObject([part(0, { node: 'node1' })]);
    answer({ execution: object }, running(0, 'node1'), output(0, 'node1', 0, ['out', 'one\n']));
    daemon.script('GET', FOLLOW, ({ query }) => {
      expect(query.get('from')).toBe('{"0":4}');
      return {
        lines: linesOf(
          { execution: object },
          output(0, 'node1', 0, ['out', 'one\n']),
          output(0, 'node1', 4, ['out', 'two\n']),
          ended(0, 'node1', 'succeeded'),
          FINISHED,
        ),
      };
    });
    const { code, stdout, stderr } = await daemon.cli('ctl', '-z', '-I', 'node1', ...CONTEXT);
    expect(stdout).toBe('one\ntwo\n');
    expect(stderr).toContain('contact with the daemon was lost');
    expect(code).toBe(0);
  });

  it('never starts it twice: an answer that breaks off before it told anything is an error', async () => {
    answer();
    const { code, stderr } = await daemon.cli('ctl', ...CONTEXT);
    expect(code).toBe(7);
    expect(stderr).toContain('See "dtkd executions ls" before you start it again.');
    expect(daemon.asked).toHaveLength(1);
  });

  it('lets go of it on a signal, and says how to go on', async () => {
    answer(
      { execution: executionObject([part(0, { node: 'node1' })]) },
      running(0, 'node1'),
      output(0, 'node1', 0, ['out', 'up\n']),
      new Promise(() => undefined),
    );
    const child = new Child({ command: NODE, args: [DTKD, '--data', daemon.dir, 'ctl', '-z', '-I', 'node1', ...CONTEXT] });
    await child.output(/up\n/);
    expect(await child.end('SIGINT')).toEqual({ code: 130, signal: null });
    expect(child.stderr).toContain(`It goes on. Follow it: dtkd --data ${daemon.dir} executions follow 1a2b3c4d5e6f\n`);
  });

  it.each([['its output'], ['its output and remarks']])('lets go when nobody reads %s any more: how it ends is not known', async (what) => {
    const unread = Promise.withResolvers<ReturnType<typeof output>>();
    answer(
      { execution: executionObject([part(0, { node: 'node1' })]) },
      running(0, 'node1'),
      output(0, 'node1', 0, ['out', 'up\n']),
      unread.promise,
      new Promise(() => undefined),
    );
    const child = new Child({ command: NODE, args: [DTKD, '--data', daemon.dir, 'ctl', '-z', '-I', 'node1', ...CONTEXT] });
    await child.output(/up\n/);
    child.process.stdout?.destroy();
    if (what !== 'its output') child.process.stderr?.destroy();
    unread.resolve(output(0, 'node1', 3, ['out', 'more\n']));
    expect(await child.exited).toEqual({ code: 141, signal: null });
    if (what === 'its output') expect(child.stderr).toContain('It goes on. Follow it: ');
  });

  it('shows refusals of the plan as they are', async () => {
    daemon.script('POST', DISPATCH, () => {
      throw new DtkdError('NO_MATCH', 'no node matches "tags=nothing"', { next: 'See "dtkd node ls".' });
    });
    expect(await daemon.cli('ctl', '-I', 'tags=nothing', ...CONTEXT)).toMatchObject({
      code: 2,
      stderr: 'error: no node matches "tags=nothing"\nnext: See "dtkd node ls".\n',
    });
    expect(await daemon.cli('ctl', 'Start')).toMatchObject({ code: 2, stderr: expect.stringContaining('after --') });
    expect(await daemon.cli('ctl', ...CONTEXT, '--', '-a', '1', '-a', '2')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('twice'),
    });
  });

  it('is one of the objects that can be listed', async () => {
    daemon.put(executionKind, ID, executionObject([part(0, { node: 'node1', state: 'ended', outcome: 'failed' })], { phase: 'Finished' }));
    const { stdout } = await waitFor(() => daemon.cli('executions', 'ls'));
    expect(stdout).toMatch(/^1a2b3c4d5e6f +\S+ +demo\.Service\.myService Start +greg@node0 +node0 +Finished +1 failed$/m);
  });
});
