import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { lookAt } from '../../../daemon/src/dispatch/runner/identity.ts';
import { createRunner } from '../../../daemon/src/dispatch/runner/runner.ts';
import type { ProcessSpec, Runner } from '../../../daemon/src/dispatch/runner/runner.types.ts';
import { missing } from '../../harness/programs.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';

let directory: string;
let runner: Runner;
let runs = 0;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-runner-'));
  runner = createRunner({ directory: join(directory, 'runner'), logger: silentLogger });
});

afterEach(async () => {
  await runner.close();
  await rm(directory, { recursive: true, force: true });
});

function spec(script: string, more: Partial<ProcessSpec> = {}): ProcessSpec {
  runs += 1;
  return {
    directory: join(directory, 'runs', String(runs)),
    argv: ['/bin/sh', '-c', script],
    env: { PATH: '/usr/bin:/bin' },
    cwd: directory,
    masks: [],
    secretFiles: [],
    ...more,
  };
}

interface Collected {
  out: Buffer[];
  err: Buffer[];
}

function collect(): { sink: Collected; output: (stream: 'out' | 'err', chunk: Buffer) => void; text: (stream: 'out' | 'err') => string } {
  const sink: Collected = { out: [], err: [] };
  return {
    sink,
    output: (stream, chunk) => void sink[stream].push(chunk),
    text: (stream) => Buffer.concat(sink[stream]).toString(),
  };
}

async function run(script: string, more: Partial<ProcessSpec> = {}) {
  const { output, text, sink } = collect();
  const started = await runner.start(spec(script, more), output);
  const end = await started.ended;
  return { end, out: text('out'), err: text('err'), sink, identity: started.identity };
}

describe('a script and what is left', () => {
  const launched = process.platform === 'linux' && missing(['perl']) === undefined;

  it('is written before, and removed, with a launcher and without', async () => {
    for (let round = 0; round < 3; round += 1) {
      const place = join(directory, `place-${round}`);
      const [room, path] = [join(place, 'room'), join(place, 'script')];
      await mkdir(place);
      await writeFile(path, 'left by an earlier daemon, and longer than what is to be there');
      const argv = ['/bin/sh', path];
      const { end, out } = await run('', { directory: room, argv, script: { path, text: 'echo here' } });
      expect([end.exitStatus, out]).toEqual([0, 'here\n']);
      await writeFile(join(place, 'more'), '');
      await runner.remove([path, join(room, 'exit'), room, place]);
      await waitFor(async () => !(await readdir(directory)).includes(`place-${round}`), { what: 'it to be gone' });
      // The next ones have a launcher, where there can be one.
      if (launched)
        await waitFor(async () => Number((await run("cut -d' ' -f4 /proc/$PPID/stat")).out) !== process.pid, { what: 'a launcher' });
    }
  });
});

describe.skipIf(process.platform !== 'linux' || missing(['perl']) !== undefined)('a launcher that is killed', () => {
  /** The number of the launcher, once there is one: it is made three times. */
  const launcher = () =>
    waitFor(
      async () => {
        const parent = Number((await run("cut -d' ' -f4 /proc/$PPID/stat")).out);
        return parent === process.pid ? undefined : parent;
      },
      { what: 'a launcher' },
    );

  const places = async () => (await readdir(join(directory, 'runs'))).length;

  it('before it has begun with what it was asked for, leaves that to the daemon, which starts it once', async () => {
    for (let round = 0; round < 3; round += 1) {
      const pid = await launcher();
      const before = await places();
      process.kill(pid, 'SIGSTOP');
      const text = `echo x >>marks-${round}; exit 3`;
      const scripts = [0, 1, 2].map((at) => ({ path: join(directory, `script-${round}-${at}`), text }));
      const running = scripts.map((script) => run('', { argv: ['/bin/sh', script.path], script }));
      await waitFor(async () => (await places()) === before + 3, { what: 'their places' });
      process.kill(pid, 'SIGKILL');
      for (const { end } of await Promise.all(running)) expect(end).toMatchObject({ exitStatus: 3 });
      expect(await readFile(join(directory, `marks-${round}`), 'utf8')).toBe('x\n'.repeat(3));
    }
  });

  it('at any time, lets none start twice, and only what may have begun be unknown', async () => {
    for (const round of [0, 2, 5]) {
      const pid = await launcher();
      const before = await places();
      const marks = join(directory, `all-${round}`);
      const running = Array.from({ length: 6 }, (_, at) => run(`echo ${at} >>${marks}; exit 3`));
      await waitFor(async () => (await places()) > before + round, { what: 'some of their places' });
      process.kill(pid, 'SIGKILL');
      const ends = (await Promise.all(running)).map(({ end }) => end);
      const started = (await readFile(marks, 'utf8')).trim().split('\n').sort();
      expect(started).toEqual([...new Set(started)]);
      for (const [at, end] of ends.entries()) {
        if (end.unknown !== true) expect([end.exitStatus, started.includes(String(at))]).toEqual([3, true]);
      }
    }
  });
});

describe('starting and ending', () => {
  it('tells status and output', async () => {
    const { end, out, err, identity } = await run('echo to out; echo to err >&2; exit 3');
    expect(end).toEqual({ exitStatus: 3, endedAt: expect.any(Number) });
    expect([out, err]).toEqual(['to out\n', 'to err\n']);
    expect(identity).toEqual({ boot: expect.stringMatching(/./), pid: expect.any(Number), start: expect.stringMatching(/^[0-9]+$/) });
  });

  it.each([
    ['TERM', 'SIGTERM'],
    ['KILL', 'SIGKILL'],
    ['INT', 'SIGINT'],
    ['PIPE', 'SIGPIPE'],
    ['SEGV', 'SIGSEGV'],
    ['USR1', 'SIGUSR1'],
  ])('tells an end by %s', async (name, signal) => {
    const { end, out, err } = await run(`echo before; ulimit -c 0; kill -${name} $$; sleep 60`);
    expect(end).toEqual({ signal, endedAt: expect.any(Number) });
    expect([out, err]).toEqual(['before\n', '']);
  });

  it('does not take a status for a signal', async () => {
    // Of shells other than dash and ash only the convention is known.
    expect((await run('exit 200')).end.exitStatus).toBe(200);
    expect((await run('exit 255')).end.exitStatus).toBe(255);
  });

  it('gives an empty input, a group of its own, and nothing of its own environment', async () => {
    const { out } = await run('read line; echo "read: $?"; cut -d" " -f5,6 /proc/$$/stat; env | sort', {
      env: { PATH: '/usr/bin:/bin', SOME: 'a b' },
    });
    const [read, ids, ...environment] = out.trim().split('\n');
    expect(read).toBe('read: 1');
    const [group, session] = (ids ?? '').split(' ');
    expect(group).toBe(session);
    expect(Number(group)).not.toBe(process.pid);
    expect(environment.map((line) => line.split('=')[0])).toEqual(['PATH', 'PWD', 'SOME']);
  });

  it('says which program it needs where the daemon finds none', async () => {
    vi.stubEnv('PATH', directory);
    await expect(run('true')).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('mkfifo') });
    vi.unstubAllEnvs();
  });

  it('hands arguments on as they are', async () => {
    const args = ['', ' ', '$HOME', "it's", '"', '\\', '*', 'ä\n', '-n', '`id`'];
    const { output, text } = collect();
    const started = await runner.start(spec('', { argv: ['printf', '%s|', ...args] }), output);
    await started.ended;
    expect(text('out')).toBe(args.map((arg) => `${arg}|`).join(''));
  });

  it('starts programs, never commands of its shell', async () => {
    await expect(runner.start(spec('', { argv: ['eval', 'echo x'] }), () => undefined)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(runner.start(spec('', { argv: [] }), () => undefined)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(runner.start(spec('', { argv: ['/etc/passwd'] }), () => undefined)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(runner.start(spec('', { argv: ['/no/such'] }), () => undefined)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(runner.start(spec('true', { cwd: '/no/such' }), () => undefined)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(runner.start(spec('true', { env: { 'A B': '1' } }), () => undefined)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(runner.start(spec('a\0b'), () => undefined)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(runner.start(spec('true', { argv: ['/bin/true', 'x'.repeat(4_000_000)] }), () => undefined)).rejects.toMatchObject({
      code: 'INVALID',
    });
    await expect(runner.start(spec('true', { user: 'nobody-of-that-name' }), () => undefined)).rejects.toMatchObject({ code: 'INVALID' });
    expect(await readdir(join(directory, 'runs')).catch(() => [])).toEqual([]);
  });

  it('uses a directory that is there already, once', async () => {
    const first = spec('cat mine', {});
    await mkdir(first.directory, { recursive: true });
    await writeFile(join(first.directory, 'mine'), 'kept');
    const { output, text } = collect();
    await (await runner.start({ ...first, cwd: first.directory }, output)).ended;
    expect(text('out')).toBe('kept');
    await expect(runner.start(first, output)).rejects.toMatchObject({ code: 'INVALID' });
  });

  it('runs many at once', async () => {
    const ends = await Promise.all(Array.from({ length: 200 }, (_, index) => run(`echo ${index}; exit ${index % 7}`)));
    expect(ends.map(({ end }) => end.exitStatus)).toEqual(ends.map((_, index) => index % 7));
    expect(ends.map(({ out }) => out)).toEqual(ends.map((_, index) => `${index}\n`));
  });
});

describe('output', () => {
  it('is binary, whole and in chunks that fit', async () => {
    const { sink } = await run(
      'i=0; while [ $i -lt 20 ]; do head -c 50000 /dev/zero | tr "\\0" "\\377"; i=$((i+1)); done; printf "\\0\\1\\2"',
    );
    const all = Buffer.concat(sink.out);
    expect(all.length).toBe(1_000_003);
    expect(all.subarray(-4)).toEqual(Buffer.from([255, 0, 1, 2]));
    expect(Math.max(...sink.out.map(({ length }) => length))).toBeLessThanOrEqual(32 * 1024);
  });

  it('has no secrets', async () => {
    const { out, err } = await run('printf "pass="; printf hun; printf ter22; echo " hunter22" >&2', {
      masks: [Buffer.from('hunter22'), Buffer.from('abc')],
    });
    expect([out, err]).toEqual(['pass=***', ' ***\n']);
  });

  it('waits for who takes it, and leaves the event loop free', async () => {
    let taken = 0;
    let open = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    const started = await runner.start(spec('exec yes'), async (_, chunk) => {
      open += 1;
      most = Math.max(most, open);
      if (taken > 1_000_000) await gate.promise;
      taken += chunk.length;
      open -= 1;
    });
    await waitFor(() => taken > 1_000_000 && open > 0, { what: 'a flood' });
    const stopped = taken;
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    expect(taken).toBe(stopped);
    expect(most).toBe(1);
    gate.resolve();
    await waitFor(() => taken > 5_000_000, { what: 'more of the flood' });
    expect(await started.kill(1_000)).toMatchObject({ signal: 'SIGTERM' });
  });

  it('is taken before the end is told', async () => {
    const gate = Promise.withResolvers<void>();
    let told = false;
    let chunks = 0;
    const started = await runner.start(spec('echo one; echo two >&2'), async () => {
      chunks += 1;
      await gate.promise;
    });
    void started.ended.then(() => {
      told = true;
    });
    await waitFor(() => chunks === 2 && !alive(started.identity.pid));
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    expect(told).toBe(false);
    gate.resolve();
    expect(await started.ended).toMatchObject({ exitStatus: 0 });
  });

  it('that nobody can take is thrown away, and ends nothing', async () => {
    const started = await runner.start(spec('echo one; echo two >&2; exit 3'), (stream) => {
      if (stream === 'out') throw new Error('no room');
      return Promise.reject(new Error('no room'));
    });
    expect(await started.ended).toMatchObject({ exitStatus: 3 });
  });

  it('of processes left behind is not waited for, and they are let go', async () => {
    const { end, out } = await run(
      '(echo child; trap "" HUP; while [ ! -e go ]; do sleep 0.05; done; i=0; while [ $i -lt 3000 ]; do echo "a line that nobody reads $i" || exit; i=$((i+1)); done; touch done) & echo parent',
    );
    expect(end).toEqual({ exitStatus: 0, endedAt: expect.any(Number), leftBehind: true });
    expect(out.split('\n').sort()).toEqual(['', 'child', 'parent']);
    // Another daemon has its pipes later.
    await runner.close();
    runner = createRunner({ directory: join(directory, 'runner'), logger: silentLogger });
    await writeFile(join(directory, 'go'), '');
    await waitFor(() => stat(join(directory, 'done')), { what: 'its end, after more output than a pipe holds' });
    await waitFor(async () => (await readdir(join(directory, 'runner', 'left'))).length === 0, { what: 'its pipe to be removed' });
  });

  it('of a flood of processes left behind is not waited for, however it is taken', async () => {
    const started = await runner.start(spec('yes & echo parent'), () => new Promise(setImmediate));
    try {
      expect(await started.ended).toEqual({ exitStatus: 0, endedAt: expect.any(Number), leftBehind: true });
    } finally {
      process.kill(-started.identity.pid, 'SIGKILL');
    }
  });

  it('may be closed by the process', async () => {
    const { end, out } = await run('echo first; exec >&- 2>&-; sleep 0.05; exit 4');
    expect([end.exitStatus, out]).toEqual([4, 'first\n']);
  });
});

describe('closing', () => {
  it('leaves processes to the next runner, with all of their output', async () => {
    const script = 'n=0; while [ $n -lt 20000 ]; do echo "a secret line $n"; n=$((n+1)); done; exit 6';
    const { output, text } = collect();
    const one = spec(script, { masks: [Buffer.from('secret')] });
    let identity = (await runner.start(one, output)).identity;
    await waitFor(() => text('out').length > 1_000);
    for (let round = 0; round < 3; round += 1) {
      await runner.close();
      runner = createRunner({ directory: join(directory, 'runner'), logger: silentLogger });
      const adopted = await runner.adopt(one.directory, identity, one.masks, output);
      expect(adopted.gap).toBeUndefined();
      identity = adopted.identity;
      if (round === 2) expect(await adopted.ended).toMatchObject({ exitStatus: 6 });
    }
    expect(text('out')).toBe(Array.from({ length: 20_000 }, (_, n) => `a *** line ${n}\n`).join(''));
  });

  it('sees to its end what has ended', async () => {
    const { output, text } = collect();
    const started = await Promise.all(Array.from({ length: 10 }, () => runner.start(spec('echo some output'), output)));
    await waitFor(() => text('out') !== '');
    await runner.close();
    runner = createRunner({ directory: join(directory, 'runner'), logger: silentLogger });
    const first = runs - started.length + 1;
    const ends = await Promise.all(
      started.map(async ({ ended, identity }, index) => {
        const adopted = await runner.adopt(join(directory, 'runs', String(first + index)), identity, [], output);
        return Promise.race([ended, adopted.ended]);
      }),
    );
    expect(ends.map(({ exitStatus }) => exitStatus)).toEqual(ends.map(() => 0));
    expect(text('out')).toBe('some output\n'.repeat(started.length));
  });
});

describe('killing', () => {
  it('ends a hanging process by TERM', async () => {
    const started = await runner.start(spec('sleep 600'), () => undefined);
    expect(await started.kill()).toMatchObject({ signal: 'SIGTERM' });
  });

  it('lets it clean up, and tells its status', async () => {
    const { output, text } = collect();
    const started = await runner.start(spec('trap "echo bye; exit 9" TERM; echo up; while :; do sleep 0.02; done'), output);
    await waitFor(() => text('out') === 'up\n');
    expect(await started.kill()).toMatchObject({ exitStatus: 9 });
    expect(text('out')).toBe('up\nbye\n');
  });

  it('ends what ignores TERM by KILL', async () => {
    const { output, text } = collect();
    const started = await runner.start(spec('trap "" TERM HUP; echo up; while :; do sleep 0.02; done'), output);
    await waitFor(() => text('out') === 'up\n');
    expect(await started.kill(50)).toEqual({ signal: 'SIGKILL', endedAt: expect.any(Number) });
    await waitFor(() => !alive(started.identity.pid));
  });

  it('ends what is stopped', async () => {
    const { output, text } = collect();
    const started = await runner.start(spec('echo up; kill -STOP $$; echo on'), output);
    await waitFor(() => text('out') === 'up\n');
    expect(await started.kill(2_000)).toMatchObject({ signal: 'SIGTERM' });
  });

  it('ends the whole group, and groups of the same session', async () => {
    const { output, text } = collect();
    const script =
      '(trap "" TERM; sleep 600 & echo "pid $!"; wait) & perl -e \'setpgrp(0,0); $| = 1; $SIG{TERM} = "IGNORE"; print "pid $$\\n"; sleep 600\' & wait';
    const started = await runner.start(spec(script), output);
    const pids = await waitFor(() => {
      const found = [...text('out').matchAll(/pid ([0-9]+)/g)].map(([, pid]) => Number(pid));
      return found.length === 2 ? found : undefined;
    });
    await started.kill(50);
    await waitFor(() => pids.every((pid) => !alive(pid)), { what: 'all of them to end' });
  });

  it('ends it also in a session of its own, with its children', async () => {
    const { output, text } = collect();
    const child = 'trap "" TERM; echo "pid $$"; sleep 600 & echo "pid $!"; wait; wait';
    const started = await runner.start(spec('', { argv: ['/bin/sh', '-c', `setsid /bin/sh -c '${child}' & wait`] }), output);
    const pids = await waitFor(() => {
      const found = [...text('out').matchAll(/pid ([0-9]+)/g)].map(([, pid]) => Number(pid));
      return found.length === 2 ? found : undefined;
    });
    await started.kill(50);
    await waitFor(() => pids.every((pid) => !alive(pid)), { what: 'all of them to end' });
  });

  it('is not lost on a process that has only just begun to start', async () => {
    const ends = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const started = await runner.start(spec('sleep 600'), () => undefined);
        return started.kill();
      }),
    );
    expect(new Set(ends.map(({ signal }) => signal))).toEqual(new Set(['SIGTERM']));
  });

  it('may be hurried', async () => {
    const { output, text } = collect();
    const started = await runner.start(spec('trap "" TERM; echo up; while :; do sleep 0.02; done'), output);
    await waitFor(() => text('out') === 'up\n');
    const patient = started.kill(600_000);
    await started.kill(0);
    expect(await patient).toMatchObject({ signal: 'SIGKILL' });
  });
});

describe('secret files and users', () => {
  it('are for the process alone, and gone after it', async () => {
    const { end, out } = await run('stat -c %a "$TOKEN" "$(dirname "$TOKEN")"; cat "$TOKEN"; echo; echo "$TOKEN"', {
      secretFiles: [{ variable: 'TOKEN', value: Buffer.from('hunter22') }],
      masks: [Buffer.from('hunter22')],
    });
    expect(end.exitStatus).toBe(0);
    const [mode, around, value, path] = out.split('\n');
    expect([mode, around, value]).toEqual(['600', '700', '***']);
    await expect(stat(path ?? '')).rejects.toThrow('ENOENT');
  });

  it('belong to the user as whom it runs', async ({ skip }) => {
    if (process.geteuid?.() !== 0) skip('needs root');
    const { end, out } = await run('id -un; id -Gn; grep CapEff /proc/self/status; cat "$TOKEN"; kill -TERM $PPID || exit 5', {
      user: 'nobody',
      secretFiles: [{ variable: 'TOKEN', value: Buffer.from('for nobody') }],
      cwd: '/',
    });
    expect(out.split('\n')).toEqual(['nobody', 'nogroup', 'CapEff:\t0000000000000000', 'for nobody']);
    expect(end.exitStatus).toBe(5);
    expect(await runner.account('nobody')).toMatchObject({ name: 'nobody' });
    await expect(runner.account('../x')).rejects.toMatchObject({ code: 'INVALID' });
  });

  it('opens its output by name as well, as whom ever it runs', async ({ skip }) => {
    if (process.geteuid?.() !== 0) skip('needs root');
    for (const user of [undefined, 'nobody']) {
      const { err, out } = await run('echo one >/dev/stdout; echo two >/dev/stderr', { cwd: '/', ...(user === undefined ? {} : { user }) });
      expect([out, err]).toEqual(['one\n', 'two\n']);
    }
  });

  it('lets nobody of the group of its user read its output', async ({ skip }) => {
    if (process.geteuid?.() !== 0) skip('needs root');
    const { out } = await run('for one in out err; do (exec </dev/std$one) && echo "$one is open"; done; id -gn', {
      cwd: '/',
      user: 'nobody',
    });
    expect(out).toBe('nogroup\n');
  });

  it('gives no variables of the loader and of shells to what has rights that the process has not', async ({ skip }) => {
    if (process.geteuid?.() !== 0) skip('needs root');
    const env = { PATH: '/usr/bin:/bin', LD_SHOW_AUXV: '1', PS4: "it's mine; $(id)", MALLOC_X: '' };
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is for the shell
    const { end, out } = await run('echo "$PS4"; echo "${MALLOC_X-unset} ${_DTKD_HELD_0-none}"', { user: 'nobody', cwd: '/', env });
    expect(end.exitStatus).toBe(0);
    // each program that the loader starts with it tells whose it is
    const users = [...out.matchAll(/^AT_E?UID: +(\d+)$/gm)].map(([, uid]) => uid);
    expect(new Set(users)).toEqual(new Set(['65534']));
    expect(out).toContain("it's mine; $(id)\n none\n");
  });

  it('removes what the process has put beside its secrets, and nothing behind its links', async ({ skip }) => {
    if (process.geteuid?.() !== 0) skip('needs root');
    const kept = join(directory, 'kept');
    await mkdir(kept);
    await writeFile(join(kept, 'file'), 'stays');
    const script = `cd "$(dirname "$TOKEN")" && mkdir -p a/b && touch a/b/c && ln -s ${kept} a/link && ln -s ${kept} link && chmod 0 a/b && pwd`;
    const { end, out } = await run(script, { user: 'nobody', cwd: '/', secretFiles: [{ variable: 'TOKEN', value: Buffer.from('t') }] });
    expect(end.exitStatus).toBe(0);
    await waitFor(
      () =>
        stat(out.trim()).then(
          () => false,
          () => true,
        ),
      { what: 'the secrets to be gone' },
    );
    expect(await readdir(kept)).toEqual(['file']);
  });

  it('leaves its record and nothing else', async () => {
    const one = spec('exit 2', { secretFiles: [{ variable: 'A', value: Buffer.from('secret') }] });
    await (await runner.start(one, () => undefined)).ended;
    await waitFor(async () => (await readdir(one.directory)).join() === 'exit');
    expect(await readFile(join(one.directory, 'exit'), 'utf8')).toMatch(/^# [0-9]+\n= 2/);
    expect((await stat(one.directory)).mode & 0o777).toBe(0o700);
  });
});

function alive(pid: number): boolean {
  return lookAt(pid)?.zombie === false;
}
