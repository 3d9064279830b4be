import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootId, GONE, isAlive, lookAt, parseStat } from '../../../daemon/src/dispatch/runner/identity.ts';
import { closePipes, createRunDirectories } from '../../../daemon/src/dispatch/runner/run-directories.ts';
import { createRunner } from '../../../daemon/src/dispatch/runner/runner.ts';
import type { ProcessIdentity, Runner, Spool } from '../../../daemon/src/dispatch/runner/runner.types.ts';
import { walk } from '../../../daemon/src/dispatch/runner/spool-borders.ts';
import { createSpools } from '../../../daemon/src/dispatch/runner/spools.ts';
import { isRecorded, parseRecord } from '../../../daemon/src/dispatch/runner/wrapper.ts';
import { decodeCbor } from '../../../protocol/encoding/cbor.ts';
import { outputRecord } from '../../../protocol/orders/records.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';

const CAP = 64 * 1024 * 1024;

let directory: string;
let runner: Runner;
const hosts = new Set<ChildProcessByStdio<Writable, Readable, null>>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-adopt-'));
  runner = createRunner({ directory: join(directory, 'runner'), logger: silentLogger });
});

afterEach(async () => {
  for (const host of hosts) host.kill('SIGKILL');
  hosts.clear();
  await runner.close();
  await rm(directory, { recursive: true, force: true });
});

const run = (): string => join(directory, 'run');
const spoolPath = (): string => join(directory, 'spool');

/** Starts a script in a process of its own, which can be killed. */
async function startInHost(script: string) {
  const host = spawn(process.execPath, [join(import.meta.dirname, 'host.ts'), join(directory, 'host'), spoolPath()], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  hosts.add(host);
  host.stdin.write(`${JSON.stringify({ run: run(), script, cwd: directory })}\n`);
  const lines = createInterface({ input: host.stdout })[Symbol.asyncIterator]();
  const identity: ProcessIdentity = JSON.parse((await lines.next()).value ?? '');
  return {
    identity,
    async kill(): Promise<void> {
      host.kill('SIGKILL');
      await once(host, 'exit');
      hosts.delete(host);
    },
  };
}

async function spooled(stream: 'out' | 'err' = 'out'): Promise<string> {
  const bytes = await readFile(spoolPath()).catch(() => Buffer.alloc(0));
  const parts: Uint8Array[] = [];
  walk(bytes, (start, end) => {
    const record = decodeCbor(bytes.subarray(start + 4, end), outputRecord, 'record');
    if (record.s === stream) parts.push(record.d);
    return true;
  });
  return Buffer.concat(parts).toString();
}

/** Adopts it here, into the same spool. */
async function adopt(identity: ProcessIdentity | undefined) {
  const spool: Spool = await createSpools().open(spoolPath(), CAP);
  const adopted = await runner.adopt(run(), identity, [], (stream, d) => spool.append({ t: 2, s: stream, n: 1, c: 'x', d }));
  const ended = adopted.ended.then(async (end) => {
    await spool.close();
    return end;
  });
  return { adopted, ended };
}

/** Waits for `go`, a minute at most: what is left behind ends by itself. */
const UNTIL_GO = 'waited=0; until [ -e go ] || [ $waited -gt 6000 ]; do sleep 0.01; waited=$((waited+1)); done';

const go = (name = 'go'): Promise<void> => writeFile(join(directory, name), '');

describe('a process whose daemon was killed', () => {
  it('goes on, and is adopted with all of its output, once, and its status', async () => {
    const script = `n=0; while [ $n -lt 200 ]; do echo "line $n"; n=$((n+1)); done; ${UNTIL_GO}; while [ $n -lt 9000 ]; do echo "line $n"; n=$((n+1)); done; echo last >&2; exit 7`;
    const host = await startInHost(script);
    await waitFor(async () => (await spooled()).includes('line 199\n'));
    await host.kill();
    // It fills its pipes and waits, with nobody there.
    await go();
    const { ended, adopted } = await adopt(host.identity);
    expect(adopted.identity).toEqual(host.identity);
    expect(adopted.gap).toBe(true);
    expect(await ended).toEqual({ exitStatus: 7, endedAt: expect.any(Number) });
    expect(await spooled()).toBe(Array.from({ length: 9_000 }, (_, n) => `line ${n}\n`).join(''));
    expect(await spooled('err')).toBe('last\n');
    expect(isAlive(host.identity, await bootId())).toBe(false);
  });

  it('may end before it is adopted: its last output waits', async () => {
    const host = await startInHost(`${UNTIL_GO}; echo out; echo err >&2; kill -TERM $$`);
    const secrets = await readlink(join(run(), 'secrets')).catch(() => join(run(), 'secrets'));
    expect(existsSync(secrets)).toBe(true);
    await host.kill();
    const before = Date.now();
    await go();
    await waitFor(async () => isRecorded(await readFile(join(run(), 'exit'), 'latin1')));
    const { ended } = await adopt(host.identity);
    const end = await ended;
    expect(end).toEqual({ signal: 'SIGTERM', endedAt: expect.any(Number) });
    expect(end.endedAt).toBeGreaterThanOrEqual(before - 1_000);
    expect([await spooled(), await spooled('err')]).toEqual(['out\n', 'err\n']);
    expect(existsSync(secrets)).toBe(false);
  });

  it('can be killed by the next', async () => {
    const host = await startInHost('trap "" TERM; echo up; while :; do sleep 0.02; done');
    await waitFor(async () => (await spooled()) === 'up\n');
    await host.kill();
    const { adopted, ended } = await adopt(host.identity);
    await adopted.kill(20);
    expect(await ended).toMatchObject({ signal: 'SIGKILL' });
    // A third finds the same.
    expect(await (await adopt(host.identity)).ended).toMatchObject({ signal: 'SIGKILL' });
  });

  it('is found by its run directory alone', async () => {
    const host = await startInHost(`${UNTIL_GO}; exit 3`);
    await waitFor(async () => (await readFile(join(run(), 'exit'), 'latin1')) !== '');
    await host.kill();
    const { adopted, ended } = await adopt(undefined);
    expect(adopted.identity).toEqual(host.identity);
    await go();
    expect(await ended).toMatchObject({ exitStatus: 3 });
  });

  it('is found by its shell, if not even that was written', async () => {
    const host = await startInHost(`${UNTIL_GO}; echo out; exit 3`);
    await waitFor(async () => (await readFile(join(run(), 'exit'), 'latin1')) !== '');
    await host.kill();
    await truncate(join(run(), 'exit'));
    const { adopted, ended } = await adopt(undefined);
    expect(adopted.identity).toEqual(host.identity);
    await go();
    expect(await ended).toMatchObject({ exitStatus: 3 });
    expect(await spooled()).toBe('out\n');
  });

  it('is unknown if its shell was killed, too', async () => {
    const host = await startInHost(UNTIL_GO);
    await host.kill();
    process.kill(host.identity.pid, 'SIGKILL');
    const { ended } = await adopt(host.identity);
    expect(await ended).toEqual({ unknown: true, leftBehind: true });
    await go();
  });

  it('floods on, and the next daemon reads on', async () => {
    const host = await startInHost('exec yes 0123456789abcde');
    const spool = await createSpools().open(spoolPath(), CAP);
    expect(spool.offset).toBeGreaterThanOrEqual(0);
    await waitFor(async () => (await spooled()).length > 200_000);
    await host.kill();
    const { adopted, ended } = await adopt(host.identity);
    const before = (await spooled()).length;
    await waitFor(async () => (await spooled()).length > before + 200_000);
    await adopted.kill(5_000);
    expect(await ended).toMatchObject({ signal: 'SIGTERM' });
  });
});

describe('what is not there', () => {
  it('is unknown', async () => {
    expect(await (await adopt({ boot: await bootId(), pid: 999_999_999, start: '1' })).ended).toEqual({ unknown: true });
    expect(await (await adopt(undefined)).ended).toEqual({ unknown: true });
  });

  it('has left nothing behind, where its daemon was killed before it began', async () => {
    const directories = createRunDirectories(join(directory, 'ahead'));
    closePipes(await directories.take(run()));
    await directories.close();
    expect(await (await adopt(undefined)).ended).toEqual({ unknown: true });
    expect(await readdir(join(directory, 'runner', 'left')).catch(() => [])).toEqual([]);
  });

  it('does not hold what it had left behind, either', async () => {
    const left = join(directory, 'runner', 'left');
    await runner.close();
    await mkdir(left, { recursive: true });
    execFileSync('mkfifo', [join(left, '1')]);
    runner = createRunner({ directory: join(directory, 'runner'), logger: silentLogger });
    await waitFor(async () => (await readdir(left)).length === 0, { what: 'the pipe that nobody holds to be removed' });
  });

  it('is told by its record, if there is one', async () => {
    await mkdir(run());
    await writeFile(join(run(), 'exit'), '# 12\n= 5\n');
    expect(await (await adopt({ boot: 'another', pid: process.pid, start: '1' })).ended).toMatchObject({ exitStatus: 5 });
  });

  it('is never another process with its number', async () => {
    const other = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
    try {
      const pid = other.pid ?? 0;
      const start = lookAt(pid)?.start ?? '';
      for (const identity of [
        { boot: await bootId(), pid, start: `${start}1` },
        { boot: 'another', pid, start },
        { boot: await bootId(), pid, start: GONE },
      ]) {
        const { adopted, ended } = await adopt(identity);
        expect(await adopted.kill(0)).toEqual({ unknown: true });
        await ended;
      }
      await mkdir(run());
      await writeFile(join(run(), 'exit'), `# ${pid}\n`);
      const { adopted } = await adopt(undefined);
      expect(await adopted.kill(0)).toEqual({ unknown: true });
      expect(isAlive({ boot: await bootId(), pid, start }, await bootId())).toBe(true);
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
  });
});

describe('records', () => {
  it.each([
    ['', undefined],
    ['# 5\n', undefined],
    ['# 5\n= 0\n', { exitStatus: 0 }],
    ['# 5\nTerminated\n= 143\n', { signal: 'SIGTERM' }],
    ['# 5\nkill\nTerminated\n= 143\n', { signal: 'SIGTERM' }],
    ['# 5\n= 143\n', { exitStatus: 143 }],
    ['# 5\nkill\n= 143\n', { exitStatus: 143 }],
    ['# 5\n= 143 unsaid\n', { signal: 'SIGTERM' }],
    ['# 5\n= 130\n', { signal: 'SIGINT' }],
    ['# 5\n= 128\n', { exitStatus: 128 }],
    ['# 5\n= 255\n', { exitStatus: 255 }],
    ['# 5\nReal-time signal 0\n= 162\n', { signal: 'SIG34' }],
    ['# 5\nkill\n', { signal: 'SIGKILL' }],
    ['# 5\ndtkd: 1: Cannot fork\n', undefined],
  ])('%j', (text, end) => {
    expect(parseRecord(text)).toEqual(end);
  });

  it('are of programs with any name', () => {
    expect(parseStat('12 (a) b) S 1 12 11 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 8 9')).toEqual({
      state: 'S',
      parent: 1,
      group: 12,
      session: 11,
      start: '777',
    });
    expect(parseStat('')).toBeUndefined();
  });
});
