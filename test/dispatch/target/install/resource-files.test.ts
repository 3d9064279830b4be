/** Files of a resource's directory, in which its commands may have put anything. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stageFiles, writeFiles } from '../../../../daemon/src/dispatch/target/install/resource-files.ts';

let place = '';
let umask = 0;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'dtkd-resource-'));
  umask = process.umask(0o077);
});
afterEach(async () => {
  process.umask(umask);
  await rm(place, { recursive: true, force: true });
});

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

const files = [
  { path: 'etc/a/conf', content: Buffer.from('a'), executable: false },
  { path: 'run', content: Buffer.from('b'), executable: true },
];
const modeOf = async (path: string) => (await stat(join(place, 'models/web', path))).mode & 0o777;

test('are as open as they should be whatever the umask is, and are written once', async () => {
  const directory = join(place, 'models/web');
  await writeFiles(directory, files);
  for (const below of ['', 'var', 'etc', 'etc/a', 'run']) expect(await modeOf(below)).toBe(0o755);
  expect(await modeOf('etc/a/conf')).toBe(0o644);
  // what a command of the resource has closed stays so
  await chmod(join(directory, 'var'), 0o700);
  const { ino } = await stat(join(directory, 'etc/a/conf'));
  await writeFiles(directory, files);
  expect((await stat(join(directory, 'etc/a/conf'))).ino).toBe(ino);
  expect(await modeOf('var')).toBe(0o700);
  const staged = async () => stageFiles(directory, files, async () => join(place, 'aside'));
  expect(await staged()).toEqual([]);
});
