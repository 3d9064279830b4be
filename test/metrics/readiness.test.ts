import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { readinessChecks } from '../../daemon/src/metrics/readiness.ts';
import { silentLogger } from '../silent-logger.ts';

it('believes for a while what it has found, unless it is to look anew', async () => {
  let full = false;
  const batch = async () => {
    if (full) throw new Error('the disk is full');
  };
  const checks = readinessChecks({ store: { kv: { batch } }, directory: tmpdir(), domains: () => [], logger: silentLogger });
  const store = checks.find(({ name }) => name === 'store');
  expect(await store?.failing()).toBeUndefined();
  full = true;
  expect(await store?.failing()).toBeUndefined();
  expect(await store?.failing({ anew: true })).toBe('the disk is full');
  // what was found last counts for those who do not look
  expect(await store?.failing()).toBe('the disk is full');
});
