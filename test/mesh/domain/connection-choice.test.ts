import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff, LAN_MAX_WAIT_MS, WAN_MAX_WAIT_MS } from '../../../daemon/src/mesh/domain/backoff.ts';
import { chooseNeighbours, FULL_MESH_BELOW } from '../../../daemon/src/mesh/domain/connection-choice.ts';
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

describe('backoff', () => {
  it('grows to its cap and not beyond', () => {
    for (const [lan, cap] of [
      [true, LAN_MAX_WAIT_MS],
      [false, WAN_MAX_WAIT_MS],
    ] as const) {
      let last = 0;
      for (let failures = 1; failures < 40; failures += 1) {
        const wait = backoff(failures, lan, 0.999);
        expect(wait).toBeGreaterThanOrEqual(last);
        expect(wait).toBeLessThanOrEqual(cap);
        last = wait;
      }
      expect(last).toBeGreaterThan(cap * 0.99);
      expect(backoff(39, lan, 0)).toBe(cap * 0.75);
    }
  });
});
