import { expect, it } from 'vitest';
import { Losses } from '../../../daemon/src/mesh/domain/losses.ts';
import type { PeerKey } from '../../../protocol/ids.ts';

const [A, B] = ['a', 'b'] as unknown as [PeerKey, PeerKey];
const MINUTE_MS = 60_000;

it('says of each member whether its connection was lost often in the last ten minutes, and tells once when that begins', () => {
  let now = 0;
  const losses = new Losses(() => now);
  const told = Array.from({ length: 8 }, () => {
    now += MINUTE_MS;
    return losses.add(A);
  });
  expect(told).toEqual([false, false, false, false, false, true, false, false]);
  expect(losses.often(A)).toEqual({ times: 8, withinMs: 10 * MINUTE_MS });
  losses.add(B);
  expect(losses.often(B)).toBeUndefined();
  now += 5 * MINUTE_MS;
  expect(losses.often(A)).toBeUndefined();
});

it('takes connections that are closed because nobody has used them for two minutes for no losses', () => {
  let now = 0;
  const losses = new Losses(() => now);
  for (let times = 0; times < 30; times += 1) {
    now += 2 * MINUTE_MS;
    losses.add(A);
    expect(losses.often(A)).toBeUndefined();
  }
});

it('remembers a bounded number of them, and none of a member that is gone', () => {
  const losses = new Losses(() => 1);
  for (let times = 0; times < 1_000; times += 1) losses.add(A);
  expect(losses.often(A)?.times).toBe(200);
  losses.forget(A);
  expect(losses.often(A)).toBeUndefined();
});
