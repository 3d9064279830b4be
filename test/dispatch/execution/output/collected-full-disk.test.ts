/** What was collected on a disk that becomes full. */
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Collected, readCollected } from '../../../../daemon/src/dispatch/execution/output/collected.ts';
import { record } from '../fake-target.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, appendFile: vi.fn(real.appendFile) };
});

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-collected-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('what was written of a record while the disk became full is not read as one, also when it is over', async () => {
  const path = join(directory, '0');
  const collected = Collected.begin(path);
  const one = record('whole\n');
  await collected.append(one);
  vi.mocked(appendFile).mockImplementationOnce(async (file, data) => {
    await appendFile(file, (data as Uint8Array).subarray(0, 5));
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  });
  await expect(collected.append(record('torn\n'))).rejects.toThrow('no space');
  expect(collected.offset).toBe(one.length);
  expect(Buffer.from(await readCollected(path, 0, 1_000))).toEqual(Buffer.from(one));
  expect(await readCollected(path, one.length, 1_000)).toEqual(new Uint8Array());
});
