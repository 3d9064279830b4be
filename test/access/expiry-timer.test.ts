import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ExpiryTimer } from '../../daemon/src/access/expiry-timer.ts';

const HOUR_MS = 3_600_000;

let now: number;
let told: number;
let timer: ExpiryTimer;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  now = 1_000;
  told = 0;
  const ends = [now + HOUR_MS];
  const book = { nextExpiry: (after: number) => ends.find((end) => end > after) };
  timer = new ExpiryTimer(
    () => now,
    book,
    () => {
      told += 1;
    },
  );
  timer.arm();
});

afterEach(() => {
  timer.stop();
  vi.useRealTimers();
});

it('tells soon after the machine woke or the clock was set, though its timers stood still', () => {
  vi.advanceTimersByTime(60_000);
  expect(told).toBe(0);
  now += HOUR_MS;
  vi.advanceTimersByTime(60_000);
  expect(told).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

it('tells of what ran out before it says a time at which that is so, and once', () => {
  expect([timer.time(), told]).toEqual([1_000, 0]);
  now += HOUR_MS;
  expect([timer.time(), told]).toEqual([now, 1]);
  vi.advanceTimersByTime(2 * HOUR_MS);
  expect([timer.time(), told]).toEqual([now, 1]);
});
