import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readinessChecks } from '../../daemon/src/metrics/readiness.ts';
import { silentLogger } from '../silent-logger.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-ready-'));
  await mkdir(join(directory, 'db'));
  await writeFile(join(directory, 'db', 'CURRENT'), '');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('sees that the database was removed under the daemon, which writes into files that nobody finds again', async () => {
  const checks = readinessChecks({ store: { kv: { batch: async () => {} } }, directory, domains: () => [], logger: silentLogger });
  const store = checks.find(({ name }) => name === 'store');
  expect(await store?.failing()).toBeUndefined();
  await rm(join(directory, 'db'), { recursive: true });
  expect(await store?.failing({ anew: true })).toContain('was removed under this daemon');
});

it('believes for a while what it has found, unless it is to look anew', async () => {
  let full = false;
  const batch = async () => {
    if (full) throw new Error('the disk is full');
  };
  const checks = readinessChecks({ store: { kv: { batch } }, directory, domains: () => [], logger: silentLogger });
  const store = checks.find(({ name }) => name === 'store');
  expect(await store?.failing()).toBeUndefined();
  full = true;
  expect(await store?.failing()).toBeUndefined();
  expect(await store?.failing({ anew: true })).toBe('the disk is full');
  // what was found last counts for those who do not look
  expect(await store?.failing()).toBe('the disk is full');
});
