import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answerDigests,
  askDigests,
  COMPARE_INTERVAL_MS,
  Comparisons,
  type ComparisonsPorts,
  differenceOf,
  FAILED_AGAIN_MS,
  isWorthSync,
  SAME_AGAIN_MS,
  SETTLE_MS,
  SYNC_AGAIN_MS,
} from '../../../daemon/src/mesh/domain/comparisons.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { parsePeerKey } from '../../../protocol/ids.ts';
import { type Digests, decodeDigests, encodeDigests, MAX_COMPARE_FRAME_BYTES } from '../../../protocol/log/compare.ts';
import { silentLogger } from '../../silent-logger.ts';

const digest = (number: number): string => number.toString(16).padStart(64, '0');
const having = (logs: number, facts = 0): Digests => ({ logs: digest(logs), facts: digest(facts) });

describe('the choice to sync', () => {
  const difference = differenceOf('logs', having(1), having(2)) ?? '';
  const other = differenceOf('logs', having(1), having(3)) ?? '';

  it('sees a difference of logs or facts, and none where both are equal', () => {
    for (const part of ['facts', 'logs'] as const) expect(differenceOf(part, having(1, 1), having(1, 1))).toBeUndefined();
    expect(differenceOf('logs', having(1, 1), having(2, 1))).toBeDefined();
    expect(differenceOf('facts', having(1, 1), having(2, 1))).toBeUndefined();
    expect(differenceOf('facts', having(1, 1), having(1, 2))).toBeDefined();
    expect(differenceOf('logs', having(1, 1), having(1, 2))).toBeUndefined();
  });

  it('syncs at once the first time, then rarely, and more rarely where nothing has changed', () => {
    expect(isWorthSync(undefined, difference, 0)).toBe(true);
    const last = { at: 1_000, difference, failed: false };
    expect(isWorthSync(last, other, last.at + SYNC_AGAIN_MS - 1)).toBe(false);
    expect(isWorthSync(last, other, last.at + SYNC_AGAIN_MS)).toBe(true);
    expect(isWorthSync(last, difference, last.at + SAME_AGAIN_MS - 1)).toBe(false);
    expect(isWorthSync(last, difference, last.at + SAME_AGAIN_MS)).toBe(true);
  });

  it('is soon made again where the sync failed', () => {
    const last = { at: 1_000, difference, failed: true };
    for (const next of [difference, other]) {
      expect(isWorthSync(last, next, last.at + FAILED_AGAIN_MS - 1)).toBe(false);
      expect(isWorthSync(last, next, last.at + FAILED_AGAIN_MS)).toBe(true);
    }
  });
});

describe('comparisons', () => {
  const peers = [1, 2, 3].map((number) => parsePeerKey(digest(number)));
  const [equal, liar, stalled] = peers;
  let syncs: string[];
  let lies: number;
  let own: number;
  let comparisons: Comparisons;
  /** A difference is looked at twice, and the timer may come late by half. */
  const ROUND_MS = peers.length * 1.5 * COMPARE_INTERVAL_MS + SETTLE_MS;

  beforeEach(() => {
    vi.useFakeTimers();
    syncs = [];
    lies = 0;
    own = 0;
  });
  afterEach(() => {
    comparisons.stop();
    vi.useRealTimers();
  });

  const noted = async (peer: string): Promise<void> => void syncs.push(peer);

  function begin(theirs: (peer: string) => Promise<Digests>, sync: Partial<ComparisonsPorts['sync']> = {}): void {
    comparisons = new Comparisons({
      neighbours: () => peers,
      own: async () => having(own),
      exchange: async (peer) => ({ ours: having(own), theirs: await theirs(peer) }),
      sync: { facts: noted, logs: noted, ...sync },
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

  it('are made once with each neighbour after a change here, and then no more', async () => {
    const asked: string[] = [];
    begin(async (peer) => {
      asked.push(peer);
      return having(own);
    });
    await vi.advanceTimersByTimeAsync(3 * ROUND_MS);
    expect([...asked].sort()).toEqual([...peers].sort());
    own = 1;
    await vi.advanceTimersByTimeAsync(3 * ROUND_MS);
    expect([...asked].sort()).toEqual([...peers, ...peers].sort());
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

  it('try again soon what failed, though nothing has changed since', async () => {
    const tried: string[] = [];
    const facts = (peer: string): Promise<void> => {
      tried.push(peer);
      return Promise.reject(new Error('too busy'));
    };
    begin(() => Promise.resolve(having(0, 1)), { facts });
    await vi.advanceTimersByTimeAsync(3 * (ROUND_MS + FAILED_AGAIN_MS));
    for (const peer of peers) expect(tried.filter((each) => each === peer).length).toBeGreaterThan(1);
    expect(syncs).toEqual([]);
  });

  it('make facts equal though logs were synced a moment ago, and sync only what differs', async () => {
    const done: string[] = [];
    let facts = 0;
    const part = (name: string) => async () => void done.push(name);
    begin(() => Promise.resolve(having(1, facts)), { facts: part('facts'), logs: part('logs') });
    await vi.advanceTimersByTimeAsync(ROUND_MS);
    expect(done).toEqual(peers.map(() => 'logs'));
    facts = 1;
    // a member that was early in one round may be late in the next
    await vi.advanceTimersByTimeAsync(2 * ROUND_MS);
    expect(done.filter((name) => name === 'facts')).toHaveLength(peers.length);
  });

  it('do not let facts wait for logs that never come', async () => {
    begin(() => Promise.resolve(having(1, 1)), { logs: () => new Promise<never>(() => {}) });
    await vi.advanceTimersByTimeAsync(ROUND_MS);
    expect([...syncs].sort()).toEqual([...peers].sort());
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
