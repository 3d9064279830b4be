/** A shell that could not write down how its process ended (the disk was full), and one that could not start it. */
import { openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProcessEnd } from '../../../daemon/src/dispatch/runner/runner.types.ts';
import { supervise } from '../../../daemon/src/dispatch/runner/running.ts';

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'dtkd-record-'));
});
afterEach(() => rm(run, { recursive: true, force: true }));

async function endOf(record: string, status: number | null, signal: NodeJS.Signals | null = null): Promise<ProcessEnd & { said: string }> {
  const file = openSync(join(run, 'exit'), 'a+');
  writeSync(file, record);
  let said = '';
  const supervised = supervise({
    // Nobody's, so that nobody is signalled.
    identity: { boot: 'b', pid: 0, start: '-' },
    boot: 'b',
    run,
    record: file,
    readers: [],
    told: true,
    own: true,
    complain: (text) => {
      said += text;
    },
    clear: async () => undefined,
  });
  supervised.gone(status, signal);
  const end = await supervised.process.ended;
  return { ...end, said };
}

describe('without a record', () => {
  it.each([
    ['', 0],
    ['# 4711\n', 0],
    ['# 4711\n', 3],
    // Cut off within a line, which says nothing.
    ['# 47', 0],
  ])('%j: the status of the shell is that of the process (%i)', async (record, status) => {
    expect(await endOf(record, status)).toMatchObject({ exitStatus: status, said: '' });
  });

  it('what the shell says is why it could not start it', async () => {
    const end = await endOf('# 4711\n/bin/sh: 1: Cannot fork\n', 2);
    expect(end).toMatchObject({ exitStatus: 126, said: '/bin/sh: 1: Cannot fork\n' });
  });

  it('a shell that was killed leaves it unknown', async () => {
    expect(await endOf('# 4711\n', null, 'SIGKILL')).toMatchObject({ unknown: true });
  });

  it('a record that was cut off within its last line is none', async () => {
    expect(await endOf('# 4711\n= 1', 143)).toMatchObject({ exitStatus: 143 });
  });
});
