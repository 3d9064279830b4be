import { describe, expect, it } from 'vitest';
import { AuthorDoc } from '../../../daemon/src/mesh/log/author-doc.ts';
import { asksOf, headOf, headsOf, isAhead, ownHeads, partsToSend } from '../../../daemon/src/mesh/log/catch-up.ts';
import { DocCache } from '../../../daemon/src/mesh/log/doc-cache.ts';
import { placementOf } from '../../../daemon/src/mesh/log/placement.ts';
import { type AuthorState, decodeState, encodeState, NOTHING, type Track } from '../../../daemon/src/mesh/log/rows.ts';
import { Serial } from '../../../daemon/src/mesh/log/serial.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';

const author = generateSigningKey().publicKey;
const epoch = (ms: number) => ({ ms, random: '0'.repeat(16) });
const track = (ms: number, seq: number, opened = true): Track => ({
  epoch: epoch(ms),
  seq,
  hash: `${ms}-${seq}`.padEnd(64, '0'),
  opened,
  bytes: 1,
});
const state = (changes: Partial<AuthorState>): AuthorState => ({ ...NOTHING, ...changes });
const head = (ms: number, seq: number) => headOf(author, track(ms, seq));

describe('the place of an entry', () => {
  const known = state({ shown: track(5, 3), next: track(9, 1, false) });
  it.each([
    [5, 3, 'taken'],
    [5, 4, 'append'],
    [5, 5, 'gap'],
    [9, 0, 'taken'],
    [9, 2, 'append'],
    [9, 3, 'gap'],
    [4, 9, 'over'],
    [7, 0, 'over'],
    [10, 0, 'opens'],
    [10, 1, 'gap'],
  ] as const)('epoch %i, entry %i: %s', (ms, seq, place) => {
    expect(placementOf(known, { epoch: epoch(ms), seq }).place).toBe(place);
  });

  it('is over at and below a fork', () => {
    const barrier = epoch(5);
    expect(placementOf(state({ barrier }), { epoch: epoch(5), seq: 0 }).place).toBe('over');
    expect(placementOf(state({ barrier }), { epoch: epoch(6), seq: 0 }).place).toBe('opens');
  });
});

describe('catching up', () => {
  it('knows who is ahead', () => {
    const known = state({ shown: track(5, 3) });
    expect(isAhead(head(5, 4), known, undefined)).toBe(true);
    expect(isAhead(head(6, 0), known, undefined)).toBe(true);
    expect(isAhead(head(5, 3), known, undefined)).toBe(false);
    expect(isAhead({ ...head(5, 3), hash: 'f'.repeat(64) }, known, undefined)).toBe(true);
    expect(isAhead(head(4, 9), known, undefined)).toBe(false);
    expect(isAhead(head(5, 4), known, epoch(5))).toBe(false);
    expect(isAhead(head(1, 0), NOTHING, undefined)).toBe(true);
  });

  it('sends what is lacking, the lowest epoch first', () => {
    const known = state({ stray: track(3, 7), shown: track(5, 3), next: track(9, 1, false) });
    const from = (...theirs: ReturnType<typeof head>[]) => partsToSend(known, theirs).map((part) => [part.track.epoch.ms, part.from]);
    expect(from()).toEqual([
      [3, 0],
      [5, 0],
      [9, 0],
    ]);
    expect(from(head(3, 2))).toEqual([
      [3, 3],
      [5, 0],
      [9, 0],
    ]);
    expect(from(head(5, 3))).toEqual([[9, 0]]);
    expect(from({ ...head(5, 3), hash: 'f'.repeat(64) })).toEqual([
      [5, 3],
      [9, 0],
    ]);
    expect(from(head(9, 0))).toEqual([[9, 1]]);
    expect(from(head(9, 5))).toEqual([]);
    expect(from(head(10, 0))).toEqual([]);
  });

  it('sends also a lower epoch to an author who asks for it', () => {
    const known = state({ shown: track(5, 3) });
    const from = (asked: Track | undefined, wanted?: number) =>
      partsToSend(known, ownHeads(author, track(8, 1), asked, wanted === undefined ? undefined : epoch(wanted))).map((part) => part.from);
    expect(from(undefined)).toEqual([]);
    expect(from(undefined, 5)).toEqual([0]);
    expect(from(track(5, 1))).toEqual([2]);
    expect(from(track(5, 3))).toEqual([]);
    expect(from(undefined, 4)).toEqual([]);
  });

  it('is asked for nothing that cannot be taken in, so that what is sent first never stands before all else', () => {
    const self = generateSigningKey().publicKey;
    const own = ownHeads(self, track(8, 1), track(7, 2), undefined);
    const known = state({ stray: track(3, 1), shown: track(5, 3) });
    const told = [...own, ...headsOf(author, known)];
    const asked = [...own, ...asksOf(author, known)];
    expect(asked).toEqual([...own, head(5, 3)]);
    const theirs = state({ stray: track(3, 9), shown: track(5, 3) });
    const about = (heads: typeof told) =>
      partsToSend(
        theirs,
        heads.filter((each) => each.author === author),
      );
    expect(about(told)).toHaveLength(1);
    expect(about(asked)).toEqual([]);
  });

  it('names the present head of an author last', () => {
    const heads = headsOf(author, state({ stray: track(3, 7), shown: track(5, 3) }));
    expect(heads.map(({ epoch: { ms } }) => ms)).toEqual([3, 5]);
    expect(asksOf(author, state({ stray: track(3, 7), shown: track(5, 3), next: track(9, 1, false) }))).toEqual([head(5, 3), head(9, 1)]);
    expect(ownHeads(author, track(8, 1), track(9, 0), undefined).map(({ epoch: { ms } }) => ms)).toEqual([8, 9]);
    expect(ownHeads(author, undefined, undefined, undefined)).toEqual([]);
  });
});

describe('rows of a log', () => {
  it('are read back, and refused if they are something else', () => {
    const known = state({ shown: track(5, 3), barrier: epoch(2) });
    expect(decodeState(encodeState(known))).toEqual(known);
    for (const text of ['', 'null', '7', '{"shown":{}}', '{"shown":{"epoch":{"ms":-1}}}'])
      expect(decodeState(Buffer.from(text))).toBeUndefined();
  });
});

describe('the cache of documents', () => {
  it('drops the least recently used, never the last', () => {
    const doc = (keys: number): AuthorDoc => {
      const made = new AuthorDoc(epoch(1));
      made.write(new Map(Array.from({ length: keys }, (_, index) => [`k${index}`, 'x'.repeat(100)])));
      return made;
    };
    const size = doc(10).footprint;
    const cache = new DocCache(2.5 * size);
    for (const name of ['a', 'b']) cache.set(name, doc(10));
    cache.get('a');
    cache.set('c', doc(10));
    expect(['a', 'b', 'c'].map((name) => cache.get(name) !== undefined)).toEqual([true, false, true]);
    cache.set('large', doc(100));
    expect(['a', 'c', 'large'].map((name) => cache.get(name) !== undefined)).toEqual([false, false, true]);
    cache.deleteAll('lar');
    expect(cache.bytes).toBe(0);
  });
});

describe('tasks of one name', () => {
  it('run in turn, also after one that failed, while others go on', async () => {
    const serial = new Serial();
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = serial.run('a', async () => {
      await promise;
      seen.push('a1');
      throw new Error('a1 fails');
    });
    const second = serial.run('a', async () => seen.push('a2'));
    await serial.run('b', async () => seen.push('b1'));
    expect([seen, serial.waiting('a')]).toEqual([['b1'], 2]);
    resolve();
    await expect(first).rejects.toThrow('a1 fails');
    await second;
    await serial.idle();
    expect([seen, serial.waiting('a')]).toEqual([['b1', 'a1', 'a2'], 0]);
  });
});
