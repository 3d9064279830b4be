/** Files of a resource's directory, in which its commands may have put anything. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFiles } from '../../../daemon/src/dispatch/target/install/resource-files.ts';

let place = '';
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'dtkd-resource-'));
});
afterEach(() => rm(place, { recursive: true, force: true }));

const file = (path: string) => ({ path, content: Buffer.from('wanted'), executable: false });

test('take the place of a pipe, which nobody waits for', async () => {
  const directory = join(place, 'resource');
  await mkdir(join(directory, 'var'), { recursive: true });
  execFileSync('mkfifo', ['-m', '644', join(directory, 'var', 'one')]);
  await writeFiles(directory, [file('var/one')]);
  expect(await readFile(join(directory, 'var', 'one'), 'utf8')).toBe('wanted');
});

test('have no directories made behind a link', async () => {
  const directory = join(place, 'resource');
  const elsewhere = join(place, 'elsewhere');
  await mkdir(elsewhere);
  await mkdir(directory);
  await symlink(elsewhere, join(directory, 'etc'));
  await expect(writeFiles(directory, [file('etc/conf.d/one')])).rejects.toMatchObject({ code: 'INVALID' });
  expect(await readdir(elsewhere)).toEqual([]);
});
