import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Kv } from '../../daemon/src/store/kv.ts';
import type { UserPrincipal } from '../../protocol/rights/principal.ts';
import { memoryKv } from '../store/memory-kv.ts';
import { type Site, startSite } from './site.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let kv: Kv;
let site: Site;
let ops: UserPrincipal;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  kv = memoryKv();
  site = await startSite({ kv });
  ops = await site.user('ops');
  const expires = new Date(site.time.now + HOUR_MS).toISOString();
  await site.grant(ops.display, 'READ', { kind: 'models.dtkd.dev' }, { expires, name: 'short' });
  await site.grant(ops.display, 'READ', { kind: 'types.dtkd.dev' }, { name: 'endless' });
});
afterEach(async () => {
  await site.close();
  vi.useRealTimers();
});

it('says which grants count again, in the log, the audit log and as a condition, until they are revoked', async () => {
  site.time.now += 2 * HOUR_MS;
  vi.advanceTimersByTime(60_000);
  expect(site.access.clockConditions()).toEqual([]);
  site.time.now -= 2 * HOUR_MS - 5 * 60_000;
  vi.advanceTimersByTime(60_000);
  expect(site.access.clockConditions()[0]).toMatch(
    /was set back by .*, from 2026-11-21T14:00:00.000Z: what had ended by it counts again, as capability short$/,
  );
  expect(site.audited.filter(({ verb }) => verb === 'clock').map(({ because }) => because)).toEqual([
    expect.stringContaining('capability short'),
  ]);
  expect(site.errors).toEqual([expect.objectContaining({ grants: 1 })]);
  // of what is given later nothing is said
  await site.grant(
    ops.display,
    'READ',
    { kind: 'resources.dtkd.dev' },
    { expires: new Date(site.time.now + HOUR_MS).toISOString(), name: 'later' },
  );
  expect(site.access.clockConditions()[0]).not.toContain('later');
  await site.remove({ type: 'operator', name: 'operator' }, 'capabilities', 'short');
  expect(site.access.clockConditions()[0]).toMatch(/counts again$/);
});

it('says nothing more once the clock is where it was, or after a day if no grant counts again', async () => {
  site.time.now += 30 * 60_000;
  vi.advanceTimersByTime(60_000);
  site.time.now -= 20 * 60_000;
  vi.advanceTimersByTime(60_000);
  site.time.now += 20 * 60_000;
  expect(site.access.clockConditions()).toEqual([]);

  site.time.now += 365 * DAY_MS;
  vi.advanceTimersByTime(60_000);
  site.time.now -= 365 * DAY_MS;
  vi.advanceTimersByTime(60_000);
  await site.remove({ type: 'operator', name: 'operator' }, 'capabilities', 'short');
  expect(site.access.clockConditions()).toHaveLength(1);
  site.time.now += 2 * DAY_MS;
  expect(site.access.clockConditions()).toEqual([]);
});

it('tells whoever watches of rights that they have changed, then and when they end again', () => {
  let told = 0;
  site.access.onChange(() => {
    told += 1;
  });
  site.time.now += 2 * HOUR_MS;
  vi.advanceTimersByTime(60_000);
  expect(told).toBe(1);
  site.time.now -= 2 * HOUR_MS;
  vi.advanceTimersByTime(60_000);
  expect(told).toBe(2);
  site.time.now += 2 * HOUR_MS;
  vi.advanceTimersByTime(60_000);
  expect(told).toBe(3);
});

it('notices what happened while no daemon ran', async () => {
  const { now } = site.time;
  site.time.now += 2 * HOUR_MS;
  await site.access.stop();
  // a new site begins at the first time again
  site = await startSite({ kv });
  expect(site.time.now).toBe(now);
  expect(site.access.clockConditions()).toEqual([expect.stringContaining('as capability short')]);
});

it('takes no notice of the small steps by which a clock is kept right', async () => {
  site.time.now += 30 * 60_000;
  vi.advanceTimersByTime(60_000);
  site.time.now -= 30_000;
  vi.advanceTimersByTime(60_000);
  expect(site.access.clockConditions()).toEqual([]);
  expect(site.audited).toEqual([]);
});
