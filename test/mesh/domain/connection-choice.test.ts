import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALONE_MAX_WAIT_MS, backoff, LAN_MAX_WAIT_MS, WAN_MAX_WAIT_MS } from '../../../daemon/src/mesh/domain/backoff.ts';
import {
  chooseIdle,
  chooseNeighbours,
  FULL_MESH_BELOW,
  IDLE_MS,
  MAX_UNUSED,
  type OnDemand,
  reachOf,
} from '../../../daemon/src/mesh/domain/connection-choice.ts';
import { type PeerKey, parsePeerKey } from '../../../protocol/ids.ts';

const keys = (count: number): PeerKey[] =>
  Array.from({ length: count }, (_, index) => parsePeerKey(createHash('sha256').update(String(index)).digest('hex')));

const NOBODY: ReadonlySet<PeerKey> = new Set();

function reachesAll(members: readonly PeerKey[], edges: ReadonlyMap<PeerKey, ReadonlySet<PeerKey>>): boolean {
  const seen = new Set(members.slice(0, 1));
  for (const key of seen) {
    for (const other of members) if (edges.get(key)?.has(other) || edges.get(other)?.has(key)) seen.add(other);
  }
  return seen.size === members.length;
}

describe('chooseNeighbours', () => {
  it('is everybody below the limit', () => {
    const members = keys(FULL_MESH_BELOW - 1);
    const self = members[0] ?? parsePeerKey('');
    expect(chooseNeighbours({ self, members, unreachable: NOBODY, seed: 's' })).toEqual(new Set(members.slice(1)));
  });

  it('is a few above, never ourselves, and the same each time', () => {
    const members = keys(100);
    for (const self of members.slice(0, 10)) {
      const chosen = chooseNeighbours({ self, members, unreachable: NOBODY, seed: self });
      expect(chosen.size).toBe(6);
      expect(chosen.has(self)).toBe(false);
      expect(chooseNeighbours({ self, members, unreachable: NOBODY, seed: self })).toEqual(chosen);
    }
  });

  it('leaves the live members connected, whoever is away', () => {
    const members = keys(60);
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { maxLength: 40 }), (away) => {
        const unreachable = new Set(away.map((index) => members[index]).filter((key) => key !== undefined));
        const live = members.filter((key) => !unreachable.has(key));
        const edges = new Map(live.map((self) => [self, chooseNeighbours({ self, members, unreachable, seed: self })]));
        expect(reachesAll(live, edges)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe('reachOf', () => {
  it('takes whoever is not connected for away where everybody should be', () => {
    for (const unreachable of [true, false]) {
      expect(reachOf({ connected: true, unreachable, members: FULL_MESH_BELOW - 1 })).toBe('connected');
      expect(reachOf({ connected: false, unreachable, members: FULL_MESH_BELOW - 1 })).toBe('away');
    }
  });

  it('takes nobody for away in a larger domain before trying', () => {
    const members = FULL_MESH_BELOW;
    expect(reachOf({ connected: false, unreachable: false, members })).toBe('idle');
    expect(reachOf({ connected: false, unreachable: true, members })).toBe('away');
    expect(reachOf({ connected: true, unreachable: true, members })).toBe('connected');
  });
});

describe('chooseIdle', () => {
  const now = 10 * IDLE_MS;
  const arbitrary = fc.array(fc.record({ ago: fc.integer({ min: 0, max: 2 * IDLE_MS }), inUse: fc.boolean() }), {
    maxLength: 3 * MAX_UNUSED,
  });

  it('closes nothing that is in use, keeps at most so many unused, and the latest used of them', () => {
    fc.assert(
      fc.property(arbitrary, (links) => {
        const all: OnDemand<number>[] = links.map(({ ago, inUse }, link) => ({ link, lastUsed: now - ago, inUse }));
        const closed = new Set(chooseIdle(all, now));
        const unused = all.filter(({ inUse }) => !inUse);
        expect(all.filter(({ link, inUse }) => inUse && closed.has(link))).toEqual([]);
        const kept = unused.filter(({ link }) => !closed.has(link));
        expect(kept.length).toBeLessThanOrEqual(MAX_UNUSED);
        const latestClosed = Math.max(...unused.filter(({ link }) => closed.has(link)).map(({ lastUsed }) => lastUsed));
        for (const { lastUsed } of kept) expect(lastUsed).toBeGreaterThanOrEqual(latestClosed);
        if (unused.length <= MAX_UNUSED)
          for (const link of closed) expect(now - (all[link]?.lastUsed ?? now)).toBeGreaterThanOrEqual(IDLE_MS);
      }),
      { numRuns: 60 },
    );
  });

  it('ends up closing all that stay unused, a few at a time', () => {
    let left: OnDemand<number>[] = Array.from({ length: 20 }, (_, link) => ({ link, lastUsed: 0, inUse: false }));
    for (let sweeps = 0; left.length > 0; sweeps += 1) {
      const closed = new Set(chooseIdle(left, now));
      expect(closed.size).toBeLessThanOrEqual(4);
      expect(sweeps).toBeLessThan(20);
      left = left.filter(({ link }) => !closed.has(link));
    }
  });
});

describe('backoff', () => {
  it('grows to its cap and not beyond', () => {
    for (const [lan, alone, cap] of [
      [true, false, LAN_MAX_WAIT_MS],
      [true, true, LAN_MAX_WAIT_MS],
      [false, true, ALONE_MAX_WAIT_MS],
      [false, false, WAN_MAX_WAIT_MS],
    ] as const) {
      let last = 0;
      for (let failures = 1; failures < 40; failures += 1) {
        const wait = backoff(failures, { lan, alone }, 0.999);
        expect(wait).toBeGreaterThanOrEqual(last);
        expect(wait).toBeLessThanOrEqual(cap);
        last = wait;
      }
      expect(last).toBeGreaterThan(cap * 0.99);
      expect(backoff(39, { lan, alone }, 0)).toBe(cap * 0.75);
    }
  });
});
