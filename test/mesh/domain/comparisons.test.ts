import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../daemon/src/logger.ts';
import {
  answerDigests,
  askDigests,
  COMPARE_INTERVAL_MS,
  Comparisons,
  differenceOf,
  isWorthSync,
  SAME_AGAIN_MS,
  SETTLE_MS,
  SYNC_AGAIN_MS,
} from '../../../daemon/src/mesh/domain/comparisons.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { type Digests, decodeDigests, encodeDigests, MAX_COMPARE_FRAME_BYTES } from '../../../protocol/compare.ts';
import { parsePeerKey } from '../../../protocol/ids.ts';

const digest = (number: number): string => number.toString(16).padStart(64, '0');
const having = (logs: number, facts = 0): Digests => ({ logs: digest(logs), facts: digest(facts) });

describe('the choice to sync', () => {
  const difference = differenceOf(having(1), having(2)) ?? '';
  const other = differenceOf(having(1), having(3)) ?? '';

  it('sees a difference of logs or facts, and none where both are equal', () => {
    expect(differenceOf(having(1, 1), having(1, 1))).toBeUndefined();
    expect(differenceOf(having(1, 1), having(2, 1))).toBeDefined();
    expect(differenceOf(having(1, 1), having(1, 2))).toBeDefined();
  });

  it('syncs at once the first time, then rarely, and more rarely where nothing has changed', () => {
    expect(isWorthSync(undefined, difference, 0)).toBe(true);
    const last = { at: 1_000, difference };
    expect(isWorthSync(last, other, last.at + SYNC_AGAIN_MS - 1)).toBe(false);
    expect(isWorthSync(last, other, last.at + SYNC_AGAIN_MS)).toBe(true);
    expect(isWorthSync(last, difference, last.at + SAME_AGAIN_MS - 1)).toBe(false);
    expect(isWorthSync(last, difference, last.at + SAME_AGAIN_MS)).toBe(true);
  });
});

describe('comparisons', () => {
  const peers = [1, 2, 3].map((number) => parsePeerKey(digest(number)));
  const [equal, liar, stalled] = peers;
  let syncs: string[];
  let lies: number;
  let comparisons: Comparisons;
  /** A difference is looked at twice, and the timer may come late by half. */
  const ROUND_MS = peers.length * 1.5 * COMPARE_INTERVAL_MS + SETTLE_MS;

  beforeEach(() => {
    vi.useFakeTimers();
    syncs = [];
    lies = 0;
  });
  afterEach(() => {
    comparisons.stop();
    vi.useRealTimers();
  });

  function begin(theirs: (peer: string) => Promise<Digests>): void {
    comparisons = new Comparisons({
      neighbours: () => peers,
      exchange: async (peer) => ({ ours: having(0), theirs: await theirs(peer) }),
      sync: async (peer) => void syncs.push(peer),
      logger: silentLogger,
    });
    comparisons.start();
  }

  it('sync soon with whom the difference stays, with nobody else, and wait for nobody', async () => {
    begin((peer) => {
      if (peer === stalled) return new Promise<never>(() => {});
      lies += 1;
      return Promise.resolve(peer === equal ? having(0) : having(lies));
    });
    await vi.advanceTimersByTimeAsync(ROUND_MS);
    expect(syncs).toEqual([liar]);
    const before = syncs.length;
    await vi.advanceTimersByTimeAsync(10 * SYNC_AGAIN_MS);
    expect(syncs.length - before).toBeGreaterThan(0);
    expect(syncs.length - before).toBeLessThanOrEqual(10);
    expect(new Set(syncs)).toEqual(new Set([liar]));
  });

  it('do not sync over what arrives meanwhile', async () => {
    const asked = new Set<string>();
    begin(async (peer) => {
      const first = !asked.has(peer);
      asked.add(peer);
      return having(first ? 1 : 0);
    });
    await vi.advanceTimersByTimeAsync(2 * ROUND_MS);
    expect([...asked].sort()).toEqual([...peers].sort());
    expect(syncs).toEqual([]);
  });

  it('go on with the others when one fails', async () => {
    begin((peer) => (peer === liar ? Promise.reject(new Error('gone')) : Promise.resolve(having(peer === equal ? 0 : 1))));
    await vi.advanceTimersByTimeAsync(ROUND_MS);
    expect(syncs).toEqual([stalled]);
  });
});

describe('the conversation', () => {
  it('tells each side the digests of the other', async () => {
    const [near, far] = duplexPair();
    const link = { open: async () => near } as unknown as Link;
    const [asked] = await Promise.all([askDigests(link, async () => having(1, 2)), answerDigests(far, async () => having(3, 4))]);
    expect(asked).toEqual({ ours: having(1, 2), theirs: having(3, 4) });
  });

  it('fits its frame, and takes nothing else', () => {
    const frame = encodeDigests(having(1, 2));
    expect(frame.length).toBeLessThanOrEqual(MAX_COMPARE_FRAME_BYTES);
    expect(decodeDigests(frame)).toEqual(having(1, 2));
    for (const bad of [new Uint8Array(0), Uint8Array.of(0xa0), frame.subarray(1)]) {
      expect(() => decodeDigests(bad)).toThrowError(expect.objectContaining({ code: 'FRAME_INVALID' }));
    }
  });

  it('ends at garbage without harm', async () => {
    const [near, far] = duplexPair();
    // A stream of a link has such a listener from the beginning.
    for (const side of [near, far]) side.on('error', () => {});
    near.end(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await answerDigests(far, async () => having(1));
    expect(far.destroyed).toBe(true);
  });
});
