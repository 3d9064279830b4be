import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger, textLine } from '../../daemon/src/logger.ts';
import { waitFor } from '../wait.ts';

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

  it('never hold secrets', async () => {
    const file = join(directory, 'dtkd.log');
    const { logger, close } = createLogger({ level: 'info', format: 'text', file, maxBytes: 1_000_000, keep: 2 });
    logger.info({ token: 'SECRET', body: { inviteToken: 'SECRET', rootKey: 'SECRET' } }, 'Something');
    await close();
    expect(readFileSync(file, 'utf8')).not.toContain('SECRET');
  });

  it('are rotated by size and keep so many files', async () => {
    const file = join(directory, 'dtkd.log');
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
    expect(existsSync(`${file}.3`)).toBe(false);
  });

  it('are readable as text', () => {
    const line = JSON.stringify({ level: 'warn', time: 'T', msg: 'Careful', peer: 'x', err: { message: 'why', stack: '…' }, list: [1] });
    expect(textLine(line)).toBe('T WARN  Careful peer=x err="why" list=[1]\n');
    const forged = { level: 'warn', time: 'T', msg: 'a\nT ERROR b', peer: '\u001b[2J', err: { message: '\u009b2J\r', stack: '' } };
    expect(textLine(JSON.stringify(forged))).toBe('T WARN  a\\u000aT ERROR b peer=\\u001b[2J err="\\u009b2J\\r"\n');
  });
});
