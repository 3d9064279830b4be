/** Directories of resources that were taken down. */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileDigests, writeFiles } from '../../../../daemon/src/dispatch/target/install/resource-files.ts';
import { removeWritten } from '../../../../daemon/src/dispatch/target/install/resource-removal.ts';

let place = '';
let directory = '';
const files = [
  { path: 'etc/a/conf', content: Buffer.from('a'), executable: false },
  { path: 'run', content: Buffer.from('b'), executable: true },
];

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'dtkd-removal-'));
  directory = join(place, 'owner/shop/Web@shop/web-1');
  await writeFiles(directory, files);
});
afterEach(() => rm(place, { recursive: true, force: true }));

test('go with all that was written, and with what is empty above them', async () => {
  await rm(join(directory, 'run'));
  expect(await removeWritten(directory, fileDigests(files))).toBeUndefined();
  expect(await readdir(place)).toEqual([]);
  expect(await removeWritten(directory, fileDigests(files))).toBeUndefined();
});

test('leave those of others', async () => {
  await mkdir(join(place, 'owner/shop/Web@shop/web-2'));
  expect(await removeWritten(directory, fileDigests(files))).toBeUndefined();
  expect(await readdir(join(place, 'owner/shop/Web@shop'))).toEqual(['web-2']);
});

test.each([
  ['link', 'etc/a/link', (path: string) => symlink(place, path)],
  ['directory', 'etc/b', (path: string) => mkdir(path)],
  ['file', 'etc/a/conf.bak', (path: string) => writeFile(path, 'a')],
])('stay whole with another %s', async (_what, name, put) => {
  await put(join(directory, name));
  expect(await removeWritten(directory, fileDigests(files))).toBe(name);
  expect((await readdir(directory)).sort()).toEqual(['etc', 'run', 'var']);
});

test('stay if they are links', async () => {
  const link = join(place, 'link');
  await symlink(directory, link);
  expect(await removeWritten(link, fileDigests(files))).toBe('.');
  expect((await readdir(directory)).sort()).toEqual(['etc', 'run', 'var']);
});
