import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Heartbeat, LINKS_A_LOOK, LOOKS_A_PING } from '../../../daemon/src/mesh/domain/heartbeat.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { LOOK_MS } from '../../../daemon/src/mesh/host/patience.ts';

let timers: NodeJS.Timeout[] = [];
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  for (const timer of timers) clearInterval(timer);
  timers = [];
  vi.useRealTimers();
});

/** As long as a dead connection may go unnoticed where there are few. */
const NOTICED_MS = 7_000;

/** As much of a link as the heartbeat uses. A ping takes until its time is up where the other side is gone. */
class FakeLink implements Pick<Link, 'ping' | 'abort' | 'closed' | 'inbound' | 'received' | 'sending' | 'via'> {
  pings = 0;
  closed = false;
  alive = true;
  received: number | undefined = 0;
  sending: Link['sending'] = { taken: 0, waiting: 0 };
  via: Link['via'];
  /** How long an answer takes. */
  slowMs = 0;
  readonly inbound: boolean;
  /** The same connection as the other side has it. */
  other: FakeLink | undefined;

  constructor(inbound = false) {
    this.inbound = inbound;
  }

  async ping(timeoutMs: number): Promise<void> {
    this.pings += 1;
    if (!this.alive) {
      await new Promise((resolve) => setTimeout(resolve, timeoutMs));
      throw new Error('no answer');
    }
    if (this.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(this.slowMs, timeoutMs)));
    if (this.slowMs > timeoutMs) throw new Error('no answer in time');
    for (const side of [this, this.other]) if (side?.received !== undefined) side.received += 1;
  }

  abort(): void {
    this.closed = true;
  }
}

function beat(links: FakeLink[]): void {
  const heartbeat = new Heartbeat(
    () => links.filter(({ closed }) => !closed) as unknown as Link[],
    () => 0,
  );
  timers.push(setInterval(() => heartbeat.look(), LOOK_MS));
}

it('pings each link of a small domain every three seconds, from one side', async () => {
  const here = Array.from({ length: LOOKS_A_PING * LINKS_A_LOOK }, () => new FakeLink());
  const there = here.map((link) => Object.assign(new FakeLink(true), { other: link }));
  for (const link of there) Object.assign(link.other ?? {}, { other: link });
  beat(here);
  await vi.advanceTimersByTimeAsync(LOOK_MS / 2);
  for (const link of there) beat([link]);
  await vi.advanceTimersByTimeAsync(10 * LOOKS_A_PING * LOOK_MS);
  expect(here.map(({ pings }) => pings)).toEqual(here.map(() => 10));
  expect(there.map(({ pings }) => pings)).toEqual(there.map(() => 0));
});

it('needs no ping where something else arrives', async () => {
  const link = new FakeLink();
  beat([link]);
  for (let look = 0; look < 20; look += 1) {
    link.received = look + 1;
    await vi.advanceTimersByTimeAsync(LOOK_MS);
  }
  expect(link.pings).toBe(0);
});

it.each([
  ['dialled', false],
  ['took', true],
])('cuts a link that it %s within seconds once nothing comes any more', async (_how, inbound) => {
  const [dead, live] = [new FakeLink(inbound), new FakeLink(inbound)];
  beat([dead, live]);
  await vi.advanceTimersByTimeAsync(20 * LOOK_MS);
  expect(dead.closed).toBe(false);
  dead.alive = false;
  await vi.advanceTimersByTimeAsync(NOTICED_MS);
  expect([dead.closed, live.closed]).toEqual([true, false]);
});

it('pings from both sides where it cannot be told what arrives', async () => {
  const links = [new FakeLink(false), new FakeLink(true)];
  for (const link of links) link.received = undefined;
  beat(links);
  await vi.advanceTimersByTimeAsync(20 * LOOK_MS);
  for (const { pings, closed } of links) expect([pings >= 4, closed]).toEqual([true, false]);
});

it('keeps a link of which the system takes what waits, though pings stand in line behind it', async () => {
  const [slow, stuck] = [new FakeLink(), new FakeLink()];
  for (const link of [slow, stuck]) Object.assign(link, { slowMs: 60_000, sending: { taken: 10_000, waiting: 500_000 } });
  beat([slow, stuck]);
  for (let look = 0; look < 20; look += 1) {
    slow.sending = { taken: 10_000 + look * 32_000, waiting: 500_000 };
    await vi.advanceTimersByTimeAsync(LOOK_MS);
  }
  expect([slow.closed, stuck.closed]).toEqual([false, true]);
});

it('gives the answer time for what the system has taken and a slow line has not carried yet', async () => {
  const [behind, idle] = [new FakeLink(), new FakeLink()];
  for (const link of [behind, idle]) link.slowMs = 8_000;
  behind.sending = { taken: 200_000, waiting: 0 };
  beat([behind, idle]);
  await vi.advanceTimersByTimeAsync(11 * LOOK_MS);
  expect([behind.closed, idle.closed]).toEqual([false, true]);
  // all of that has arrived
  await vi.advanceTimersByTimeAsync(11 * LOOK_MS);
  expect(behind.closed).toBe(true);
});

it('waits longer for answers through another member, which notices by itself when the other end is gone', async () => {
  const relayed = new FakeLink();
  Object.assign(relayed, { received: undefined, sending: undefined, slowMs: 20_000, via: 'f'.repeat(64) });
  beat([relayed]);
  await vi.advanceTimersByTimeAsync(60 * LOOK_MS);
  expect(relayed.closed).toBe(false);
});

it('pings the links of a large domain more rarely, and all of them', async () => {
  const links = Array.from({ length: 10 * LOOKS_A_PING * LINKS_A_LOOK }, () => new FakeLink());
  beat(links);
  const seconds = links.length / LINKS_A_LOOK;
  await vi.advanceTimersByTimeAsync(10 * seconds * LOOK_MS);
  const pings = links.map((link) => link.pings);
  expect(Math.min(...pings)).toBeGreaterThanOrEqual(7);
  expect(Math.max(...pings)).toBeLessThanOrEqual(10);
});
