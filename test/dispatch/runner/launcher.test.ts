import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootId, lookAt } from '../../../daemon/src/dispatch/runner/identity.ts';
import { createLauncher, type EndListener, type Launch, type Launcher } from '../../../daemon/src/dispatch/runner/launcher.ts';
import { encodeLaunch, LAUNCHER_PROGRAM, type LaunchRequest, parseWord } from '../../../daemon/src/dispatch/runner/launcher-program.ts';
import { missing } from '../../harness/programs.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';

describe('what the launcher says', () => {
  it('is read', () => {
    expect(parseWord('ready')).toEqual({ is: 'ready' });
    expect(parseWord('began 3 411 99')).toEqual({ is: 'began', number: 3, pid: 411, start: '99' });
    expect(parseWord('not 3 2')).toEqual({ is: 'not', number: 3, errno: 2 });
    expect(parseWord('ended 411 768 3d20330a')).toEqual({ is: 'ended', pid: 411, status: 3, signal: null, record: '= 3\n' });
    expect(parseWord('ended 411 9 ')).toEqual({ is: 'ended', pid: 411, status: null, signal: 9, record: '' });
  });

  it('is nothing else', () => {
    fc.assert(fc.property(fc.string(), (line) => parseWord(line) === undefined || /^(ready|began|not|ended)/.test(line)));
  });

  it('is not asked what no process can be given', () => {
    const request = { cwd: '/', out: '/o', record: '/r', err: '/e', argv: ['/bin/true', 'a\0b'], env: {} };
    expect(encodeLaunch(1, request)).toBeUndefined();
    expect(encodeLaunch(1, { ...request, argv: ['/bin/true'], script: { path: '/s', text: 'a\0b' } })).toBeUndefined();
  });
});

/** The descriptors that a process of ours has: 0 to 3, and what this process has inherited itself. */
async function inherited(): Promise<string[]> {
  const { stdout } = spawn('/bin/sh', ['-c', 'cd /proc/self/fd; echo *'], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  if (stdout === null) throw new Error('no output');
  return (await text(stdout)).trim().split(' ').sort();
}

describe.skipIf(process.platform !== 'linux' || missing(['perl']) !== undefined)('the launcher', () => {
  let directory: string;
  let launcher: Launcher;
  let runs = 0;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dtkd-launcher-'));
    launcher = createLauncher(silentLogger);
  });

  afterEach(async () => {
    launcher.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function request(argv: readonly string[], more: Partial<LaunchRequest> = {}): Promise<LaunchRequest> {
    const run = join(directory, `run-${runs++}`);
    await mkdir(run);
    const [out, record, err] = [join(run, 'out'), join(run, 'record'), join(run, 'err')];
    for (const file of [out, record, err]) await writeFile(file, '');
    return { cwd: directory, out, record, err, argv, env: {}, ...more };
  }

  /** As soon as there is a launcher. */
  async function launch(asked: LaunchRequest): Promise<Launch> {
    const boot = await bootId();
    return waitFor(() => launcher.launch(asked, boot), { what: 'the launcher' });
  }

  async function run(asked: LaunchRequest) {
    const launched = await launch(asked);
    if (launched.is !== 'began') throw new Error(launched.is);
    const [status, signal, told] = await new Promise<Parameters<EndListener>>((resolve) => launched.onExit((...how) => resolve(how)));
    return {
      status,
      signal,
      told,
      out: await readFile(asked.out, 'utf8'),
      record: await readFile(asked.record, 'utf8'),
      pid: launched.pid,
    };
  }

  it('is not waited for by the first who asks', async () => {
    expect(await launcher.launch(await request(['/bin/true']), await bootId())).toBeUndefined();
  });

  it('tells exit status and signal', async () => {
    expect(await run(await request(['/bin/sh', '-c', 'exit 7']))).toMatchObject({ status: 7, signal: null });
    expect(await run(await request(['/bin/sh', '-c', 'kill -TERM $$']))).toMatchObject({ status: null, signal: 'SIGTERM' });
  });

  it('gives a process its descriptors and no more, a session of its own, and no odd signals', async () => {
    const script =
      'cd /proc/self/fd; echo *; readlink 0; cut -d" " -f5,6 /proc/$$/stat; grep -E "Sig(Ign|Blk)" /proc/self/status; echo e >&3; echo r >&2';
    const asked = await request(['/bin/sh', '-c', script], { env: { PATH: '/usr/bin:/bin' } });
    const { out, record, pid } = await run(asked);
    const [numbers, input, ids, ...masks] = out.trim().split('\n');
    expect(numbers?.split(' ').sort()).toEqual(await inherited());
    expect(input).toBe('/dev/null');
    expect(ids).toBe(`${pid} ${pid}`);
    expect(masks.filter((line) => !/0{16}$/.test(line))).toEqual([]);
    expect(record).toBe('r\n');
    expect(await readFile(asked.err, 'utf8')).toBe('e\n');
  });

  it('hands on every argument and variable as it is', async () => {
    const one = fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => !value.includes('\0') && value.isWellFormed());
    const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 5 }), fc.dictionary(name, one, { maxKeys: 5 }), async (args, env) => {
        const given = await run(await request(['/usr/bin/printf', '%s\\0', ...args, '.'], {}));
        expect(given.out.split('\0').slice(0, -1)).toEqual([...args, '.']);
        const { out } = await run(await request(['/usr/bin/env', '-0'], { env }));
        const seen = out
          .split('\0')
          .slice(0, -1)
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
        expect(Object.fromEntries(seen)).toEqual({ ...env });
      }),
      { numRuns: 30 },
    );
  });

  it('tells what is in the record', async () => {
    const written = `# 1\n${'ß'.repeat(1_000)}\n= 0\n`;
    const { record, told } = await run(await request(['/bin/sh', '-c', `printf %s '${written}' >&2`]));
    expect(record).toBe(written);
    expect(Buffer.from(told ?? '', 'latin1').toString()).toBe(written);
    expect(
      (await run(await request(['/bin/sh', '-c', 'head -c 10000 /dev/zero >&2'], { env: { PATH: '/usr/bin:/bin' } }))).told,
    ).toHaveLength(4_096);
  });

  it('writes a script before, whatever an earlier daemon left there', async () => {
    const path = join(directory, 'script');
    await writeFile(path, 'longer than what is to be there'.repeat(9));
    const text = 'echo "größer $1"\n';
    expect(await run(await request(['/bin/sh', path, 'als'], { script: { path, text } }))).toMatchObject({
      status: 0,
      out: 'größer als\n',
    });
    expect(await readFile(path, 'utf8')).toBe(text);
    const fresh = join(directory, 'fresh');
    await run(await request(['/bin/true'], { script: { path: fresh, text: '' } }));
    expect((await stat(fresh)).mode & 0o777).toBe(0o700);
    const nowhere = await request(['/bin/true'], { script: { path: join(directory, 'none', 'script'), text } });
    expect(await launch(nowhere)).toEqual({ is: 'refused', code: 'ENOENT' });
  });

  it('removes files, and the directory that they were in with all else there, and nothing besides', async () => {
    expect(launcher.remove([join(directory, 'nothing')])).toBe(false);
    await run(await request(['/bin/true']));
    const [known, more] = [join(directory, 'known'), join(directory, 'more')];
    const kept = join(directory, 'kept');
    await mkdir(kept);
    for (const place of [known, more]) {
      await mkdir(join(place, 'room'), { recursive: true });
      await writeFile(join(place, 'room', 'exit'), '');
    }
    await mkdir(join(more, 'room', 'deep'));
    await writeFile(join(more, 'room', 'deep', 'file'), '');
    await symlink(kept, join(more, 'link'));
    await writeFile(join(kept, 'file'), '');
    for (const place of [known, more]) expect(launcher.remove([join(place, 'room', 'exit'), join(place, 'room'), place])).toBe(true);
    await waitFor(async () => (await readdir(directory)).every((name) => name !== 'known' && name !== 'more'), { what: 'them to be gone' });
    expect(await readdir(kept)).toEqual(['file']);
  });

  it('says why it cannot', async () => {
    expect(await launch(await request(['/bin/true'], { cwd: join(directory, 'none') }))).toEqual({ is: 'refused', code: 'ENOENT' });
    expect(await launch(await request(['/bin/true', 'x'.repeat(4_000_000)]))).toEqual({ is: 'refused', code: 'E2BIG' });
  });

  it('may be killed: what it has started goes on, its end is told, and another one is made', async () => {
    const gate = join(directory, 'gate');
    const asked = await request(['/bin/sh', '-c', `echo $PPID; while [ ! -e '${gate}' ]; do sleep 0.02; done`], {
      env: { PATH: '/usr/bin:/bin' },
    });
    const launched = await launch(asked);
    if (launched.is !== 'began') throw new Error(launched.is);
    const parent = await waitFor(async () => Number(await readFile(asked.out, 'utf8')) || undefined, { what: 'its number' });
    process.kill(parent, 'SIGKILL');
    await waitFor(() => lookAt(parent) === undefined, { what: 'the launcher to be gone' });
    expect(lookAt(launched.pid)?.start).toBe(launched.start);
    const ended = new Promise((resolve) => launched.onExit(resolve));
    expect(await run(await request(['/bin/sh', '-c', 'exit 4']))).toMatchObject({ status: 4 });
    await writeFile(gate, '');
    expect(await ended).toBeNull();
  });

  it('goes on where it was interrupted while nobody took its answers', async () => {
    const gate = join(directory, 'gate');
    const asked = await request(['/bin/sh', '-c', `while [ ! -e '${gate}' ]; do sleep 0.02; done`], { env: { PATH: '/usr/bin:/bin' } });
    const { stdin, stdout } = spawn('/usr/bin/perl', ['-e', LAUNCHER_PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    stdin.on('error', () => undefined);
    let said = '';
    stdout.setEncoding('latin1').on('data', (chunk: string) => {
      said += chunk;
    });
    stdin.write(encodeLaunch(0, asked));
    const pid = await waitFor(() => Number(/began 0 (\d+) .*\n/.exec(said)?.[1]), { what: 'the process' });
    stdout.pause();
    const refused = encodeLaunch(1, { ...asked, script: { path: join(directory, 'none', 'script'), text: '' } });
    for (let count = 0; count < 40_000; count += 1) stdin.write(refused);
    const waiting: number[] = [];
    const isStuck = () => waiting.push(stdin.writableLength) > 4 && new Set(waiting.slice(-4)).size === 1;
    await waitFor(isStuck, { what: 'it to wait until its answers are taken' });
    expect(waiting.at(-1)).toBeGreaterThan(0);
    await writeFile(gate, '');
    await waitFor(() => lookAt(pid)?.zombie !== false, { what: 'the process to end' });
    stdout.resume();
    stdin.end();
    await waitFor(() => stdout.readableEnded, { what: 'all to be told' });
    const lines = said.split('\n');
    expect(lines.filter((line) => line !== `not 1 ${constants.errno.ENOENT}`)).toEqual([
      'ready',
      expect.stringMatching(/^began 0 /),
      `ended ${pid} 0 `,
      '',
    ]);
    expect(lines).toHaveLength(40_004);
  });

  it('ends with the daemon', async () => {
    const { out } = await run(await request(['/bin/sh', '-c', 'echo $PPID']));
    launcher.close();
    await waitFor(() => lookAt(Number(out)) === undefined, { what: 'the launcher to end' });
  });
});
