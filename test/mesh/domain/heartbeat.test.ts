import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Heartbeat, PING_INTERVAL_MS, PINGS_A_ROUND } from '../../../daemon/src/mesh/domain/heartbeat.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** As much of a link as the heartbeat uses. */
class FakeLink implements Pick<Link, 'ping' | 'abort' | 'closed'> {
  pings = 0;
  closed = false;
  alive = true;

  async ping(): Promise<void> {
    this.pings += 1;
    if (!this.alive) throw new Error('no answer');
  }

  abort(): void {
    this.closed = true;
  }
}

function beat(links: FakeLink[]): Heartbeat {
  const heartbeat = new Heartbeat(() => links as unknown as Link[]);
  heartbeat.start();
  return heartbeat;
}

it('pings every link of a small domain in every round, and cuts one that does not answer', async () => {
  const links = Array.from({ length: PINGS_A_ROUND }, () => new FakeLink());
  const dead = links[3];
  const heartbeat = beat(links);
  await vi.advanceTimersByTimeAsync(PING_INTERVAL_MS);
  expect(links.every((link) => link.pings === 1 && !link.closed)).toBe(true);
  if (dead !== undefined) dead.alive = false;
  await vi.advanceTimersByTimeAsync(PING_INTERVAL_MS);
  expect(links.map(({ closed }) => closed)).toEqual(links.map((link) => link === dead));
  heartbeat.stop();
});

it('pings the links of a large domain in turn', async () => {
  const links = Array.from({ length: 3 * PINGS_A_ROUND - 1 }, () => new FakeLink());
  const heartbeat = beat(links);
  await vi.advanceTimersByTimeAsync(3 * PING_INTERVAL_MS);
  expect(links.filter(({ pings }) => pings === 0)).toEqual([]);
  expect(links.reduce((sum, { pings }) => sum + pings, 0)).toBe(3 * PINGS_A_ROUND);
  heartbeat.stop();
});
