import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Saving } from '../../../../daemon/src/dispatch/execution/run/saving.ts';
import { silentLogger } from '../../../silent-logger.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a change is stored at once, and those that follow it together', async () => {
  const timing = { saveAfterMs: 100, saveMs: 1_000, backoffMs: { first: 1, last: 1 } };
  let saved = 0;
  const save = async () => {
    saved += 1;
  };
  const saving = new Saving({ id: 'e', save, timing, logger: silentLogger });
  saving.soon();
  saving.soon();
  await vi.advanceTimersByTimeAsync(100);
  expect(saved).toBe(1);
  saving.soon();
  await vi.advanceTimersByTimeAsync(500);
  saving.soon();
  expect(saved).toBe(1);
  await vi.advanceTimersByTimeAsync(500);
  expect(saved).toBe(2);
  await vi.advanceTimersByTimeAsync(5_000);
  saving.soon();
  await vi.advanceTimersByTimeAsync(100);
  expect(saved).toBe(3);
  await saving.close();
});
