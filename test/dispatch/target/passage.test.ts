/** The way of other users through the data directory. */
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Passage } from '../../../daemon/src/dispatch/target/work/passage.ts';

let data = '';
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'dtkd-passage-'));
});
afterEach(() => rm(data, { recursive: true, force: true }));

const modeOf = async (...path: string[]) => (await stat(join(data, ...path))).mode & 0o777;

test('is opened past what is just going, and closes what is open to all', async () => {
  const runs = join(data, 'dispatch', 'runs', 'one');
  await mkdir(runs, { recursive: true, mode: 0o700 });
  await writeFile(join(data, 'open-to-all'), '', { mode: 0o644 });
  await symlink(join(data, 'gone'), join(data, 'link'));
  await new Passage(data).to(runs);
  expect(await modeOf('open-to-all')).toBe(0o640);
  expect(await modeOf('dispatch', 'runs', 'one')).toBe(0o701);
  expect(await modeOf()).toBe(0o701);
});

test('is open again to those for whom an earlier daemon opened it, and to nobody else', async () => {
  const runs = join(data, 'dispatch', 'runs');
  await mkdir(runs, { recursive: true, mode: 0o700 });
  await new Passage(data).again();
  expect(await modeOf()).toBe(0o700);
  await new Passage(data).to(runs);
  await writeFile(join(data, 'open-to-all'), '', { mode: 0o644 });
  await chmod(data, 0o700);
  await new Passage(data).again();
  expect(await modeOf()).toBe(0o701);
  expect(await modeOf('open-to-all')).toBe(0o640);
});

test('is tried again, where it could not be opened', async () => {
  const passage = new Passage(data);
  const runs = join(data, 'dispatch', 'runs');
  await expect(passage.to(runs)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await mkdir(runs, { recursive: true, mode: 0o700 });
  await passage.to(runs);
  expect(await modeOf()).toBe(0o701);
});
