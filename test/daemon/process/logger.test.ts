import { spawn } from 'node:child_process';
import fs, { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger, textLine } from '../../../daemon/src/process/logger.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { waitFor } from '../../wait.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dtkd-logs-'));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

describe('logs', () => {
  it('are one JSON object a line, in a file that only its owner reads', async () => {
    const file = join(directory, 'logs', 'dtkd.log');
    const { logger, close } = createLogger({ level: 'info', format: 'text', file, maxBytes: 1_000_000, keep: 2 });
    logger.debug({}, 'not this');
    logger.child({ part: 'mesh' }).info({ peer: 'x' }, 'Connected');
    await close();
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 'info', part: 'mesh', peer: 'x', msg: 'Connected' }]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('say so on standard error where their file cannot be', async () => {
    writeFileSync(join(directory, 'in-the-way'), '');
    const file = join(directory, 'in-the-way', 'dtkd.log');
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const { close } = createLogger({ level: 'info', format: 'json', file, maxBytes: 1_000_000, keep: 2 });
    await close();
    expect(written).toHaveBeenCalledExactlyOnceWith(expect.stringContaining(file));
  });

  it('have the stack of a defect, and of what has a code only what it says and why', async () => {
    const file = join(directory, 'dtkd.log');
    const { logger, close } = createLogger({ level: 'info', format: 'text', file, maxBytes: 1_000_000, keep: 2 });
    logger.warn({ err: new DtkdError('DISK_FULL', 'it is full', { cause: new Error('ENOSPC') }) }, 'Failed');
    logger.warn({ err: new Error('odd') }, 'Failed');
    await close();
    const [coded, defect] = readFileSync(file, 'utf8').trim().split('\n');
    expect(JSON.parse(coded ?? '').err).toEqual({ code: 'DISK_FULL', message: 'it is full: ENOSPC' });
    expect(JSON.parse(defect ?? '').err).toMatchObject({ message: 'odd', stack: expect.stringContaining('logger.test.ts') });
  });

  it('never hold secrets', async () => {
    const file = join(directory, 'dtkd.log');
    const { logger, close } = createLogger({ level: 'info', format: 'text', file, maxBytes: 1_000_000, keep: 2 });
    logger.info({ token: 'SECRET', body: { inviteToken: 'SECRET', rootKey: 'SECRET' } }, 'Something');
    await close();
    expect(readFileSync(file, 'utf8')).not.toContain('SECRET');
  });

  it('are rotated by size and keep so many files', async () => {
    const file = join(directory, 'dtkd.log');
    // more were kept before
    for (const index of [1, 2, 3, 4]) writeFileSync(`${file}.${index}`, '');
    const { logger, close } = createLogger({ level: 'info', format: 'json', file, maxBytes: 4096, keep: 2 });
    let rotations = 0;
    let newest: number | undefined;
    await waitFor(
      () => {
        for (let index = 0; index < 30; index += 1) logger.info({ index }, 'A line of a log that is long enough to count');
        const inode = statSync(`${file}.1`, { throwIfNoEntry: false })?.ino;
        if (inode !== newest) rotations += 1;
        newest = inode;
        return rotations > 3;
      },
      { what: 'four rotations' },
    );
    await close();
    expect(existsSync(`${file}.2`)).toBe(true);
    expect([3, 4].map((index) => existsSync(`${file}.${index}`))).toEqual([false, false]);
  });

  it('do not grow beyond their size where no other file is to be kept', async () => {
    const file = join(directory, 'dtkd.log');
    const { logger, close } = createLogger({ level: 'info', format: 'json', file, maxBytes: 4096, keep: 0 });
    const first = await waitFor(() => statSync(file, { throwIfNoEntry: false })?.ino, { what: 'the file' });
    await waitFor(
      () => {
        for (let index = 0; index < 30; index += 1) logger.info({ index }, 'A line of a log that is long enough to count');
        return statSync(file, { throwIfNoEntry: false })?.ino !== first;
      },
      { what: 'another file in its place' },
    );
    await close();
    expect(existsSync(`${file}.0`)).toBe(false);
  });

  it('go on in the file once a disk that was full has room, and say what is missing', async () => {
    const file = join(directory, 'dtkd.log');
    const { logger, close } = createLogger({ level: 'info', format: 'json', file, maxBytes: 100_000_000, keep: 2 });
    logger.info({}, 'Before');
    await waitFor(() => existsSync(file) && readFileSync(file, 'utf8').includes('Before'), { what: 'the first line' });
    let refused = 0;
    const full = vi.spyOn(fs, 'write').mockImplementation(((...args: unknown[]) => {
      refused += 1;
      const done = args.at(-1) as (error: Error) => void;
      setImmediate(() => done(Object.assign(new Error('no space left on device'), { code: 'ENOSPC', syscall: 'write' })));
    }) as typeof fs.write);
    logger.info({}, 'While it is full');
    await waitFor(() => refused > 0, { what: 'the disk to refuse' });
    for (let index = 0; index < 6; index += 1) logger.info({ text: 'x'.repeat(1024 * 1024) }, 'Too much to keep');
    full.mockRestore();
    await waitFor(
      () => {
        logger.info({}, 'Afterwards');
        const text = readFileSync(file, 'utf8');
        return text.includes('Afterwards') && text.includes('were lost');
      },
      { what: 'lines after the disk has room' },
    );
    await close();
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const said = lines.map((line) => JSON.parse(line) as { msg: string; lines?: number });
    expect(said[0]?.msg).toBe('Before');
    expect(said[1]?.msg).toBe('While it is full');
    expect(said.find(({ msg }) => msg.includes('were lost'))?.lines).toBeGreaterThan(2);
  });

  it.each(['text', 'json'])('go on as %s when nobody reads standard error any more', async (format) => {
    const file = join(directory, 'dtkd.log');
    const script = `
      import { createLogger } from ${JSON.stringify(new URL('../../../daemon/src/process/logger.ts', import.meta.url).href)};
      const { logger, close } = createLogger({ level: 'info', format: '${format}', file: ${JSON.stringify(file)}, maxBytes: 1e6, keep: 1 });
      process.stdin.once('data', async () => {
        for (let index = 0; index < 20; index += 1) {
          logger.info({ index }, 'Nobody reads this');
          await new Promise((resolve) => setImmediate(resolve));
        }
        await close();
        process.exit(0);
      });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'ignore', 'pipe'] });
    child.stderr.destroy();
    child.stdin.write('go\n');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(20);
  });

  it('go on in the same file where no other can be opened when it is their time', async () => {
    const file = join(directory, 'dtkd.log');
    const script = `
      import { closeSync, existsSync, openSync, statSync } from 'node:fs';
      import { setImmediate } from 'node:timers/promises';
      import { createLogger } from ${JSON.stringify(new URL('../../../daemon/src/process/logger.ts', import.meta.url).href)};
      const { logger, close } = createLogger({ level: 'info', format: 'json', file: ${JSON.stringify(file)}, maxBytes: 4096, keep: 1 });
      while (!existsSync(${JSON.stringify(file)})) await setImmediate();
      const open = [];
      try { for (;;) open.push(openSync('/dev/null')); } catch {}
      for (let index = 0; index < 200; index += 1) {
        logger.info({ index }, 'As many files are open as may be');
        await setImmediate();
      }
      // its time has come meanwhile, and what is still to be written fills no second file
      while (statSync(${JSON.stringify(file)}).size < 2 * 4096) await setImmediate();
      for (const fd of open) closeSync(fd);
      logger.info({}, 'Afterwards');
      await close();
      process.exit(0);
    `;
    const line = ['-c', 'ulimit -n 100; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script];
    const child = spawn('/bin/sh', line, { stdio: 'ignore' });
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
    const kept = [`${file}.1`, file].filter((path) => existsSync(path)).map((path) => readFileSync(path, 'utf8'));
    const said = kept.join('').trim().split('\n');
    expect(said).toHaveLength(201);
    expect(said.at(-1)).toContain('Afterwards');
  });

  it('are readable as text', () => {
    const line = JSON.stringify({ level: 'warn', time: 'T', msg: 'Careful', peer: 'x', err: { message: 'why', stack: '…' }, list: [1] });
    expect(textLine(line)).toBe('T WARN  Careful peer=x err="why" list=[1]\n');
    const forged = { level: 'warn', time: 'T', msg: 'a\nT ERROR b', peer: '\u001b[2J', err: { message: '\u009b2J\r', stack: '' } };
    expect(textLine(JSON.stringify(forged))).toBe('T WARN  a\\u000aT ERROR b peer=\\u001b[2J err="\\u009b2J\\r"\n');
  });
});
