import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stageFiles, writeFiles } from '../../../../daemon/src/dispatch/target/install/resource-files.ts';

let root: string;
let umask: number;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dtkd-resource-'));
  umask = process.umask(0o077);
});
afterEach(async () => {
  process.umask(umask);
  await rm(root, { recursive: true, force: true });
});

const files = [
  { path: 'etc/a/conf', content: Buffer.from('a'), executable: false },
  { path: 'run', content: Buffer.from('b'), executable: true },
];
const modeOf = async (path: string) => (await stat(join(root, 'models/web', path))).mode & 0o777;

it('the files of a resource are as open as they should be whatever the umask is, and are written once', async () => {
  const directory = join(root, 'models/web');
  await writeFiles(directory, files);
  for (const below of ['', 'var', 'etc', 'etc/a', 'run']) expect(await modeOf(below)).toBe(0o755);
  expect(await modeOf('etc/a/conf')).toBe(0o644);
  // what a command of the resource has closed stays so
  await chmod(join(directory, 'var'), 0o700);
  const { ino } = await stat(join(directory, 'etc/a/conf'));
  await writeFiles(directory, files);
  expect((await stat(join(directory, 'etc/a/conf'))).ino).toBe(ino);
  expect(await modeOf('var')).toBe(0o700);
  const staged = async () => stageFiles(directory, files, async () => join(root, 'aside'));
  expect(await staged()).toEqual([]);
});
