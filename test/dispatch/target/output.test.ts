import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSpools } from '../../../daemon/src/dispatch/runner/spools.ts';
import { PartOutput } from '../../../daemon/src/dispatch/target/output.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-output-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('output that is removed while somebody reads it reads as empty from there on', async () => {
  const path = join(directory, 'ab', '0');
  const errors: unknown[] = [];
  const output = new PartOutput(
    { spools: createSpools(), path, capBytes: 1024 * 1024, now: () => 1, onError: (error) => errors.push(error) },
    true,
  );
  await output.write('out', Buffer.alloc(300 * 1024, 'x'), { step: 1, command: 'test' });
  await output.finish();
  const first = await output.read(0, 1_000);
  expect(first.length).toBeGreaterThan(0);
  await rm(path);
  expect(await output.read(first.length, 1_000)).toEqual(new Uint8Array());
  expect(errors).toEqual([]);
});
