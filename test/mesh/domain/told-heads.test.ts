import { describe, expect, it } from 'vitest';
import { entriesBehind, ToldHeads } from '../../../daemon/src/mesh/domain/told-heads.ts';
import type { Head } from '../../../daemon/src/mesh/log/log.types.ts';
import { parsePeerKey } from '../../../protocol/ids.ts';

const key = (digit: string) => parsePeerKey(digit.repeat(64));
const [a, b, c] = [key('a'), key('b'), key('c')];
const head = (author: Head['author'], seq: number, ms = 1): Head => ({
  author,
  seq,
  hash: '0'.repeat(64),
  epoch: { ms, random: '0'.repeat(16) },
});
const all = () => true;

describe('what members told of logs', () => {
  it('is counted in entries', () => {
    expect(entriesBehind(head(a, 9), head(a, 4))).toBe(5);
    expect(entriesBehind(head(a, 4), head(a, 9))).toBe(0);
    expect(entriesBehind(head(a, 4), undefined)).toBe(5);
    expect(entriesBehind(head(a, 4, 2), head(a, 99))).toBe(5);
    expect(entriesBehind(head(a, 99), head(a, 0, 2))).toBe(0);
  });

  it('is the most that anybody told, until it came from anywhere', () => {
    const told = new ToldHeads();
    told.tell(b, [head(a, 9), head(c, 3)], [head(a, 4), head(c, 3)], all);
    told.tell(c, [head(a, 7)], [head(a, 4)], all);
    expect([...told.behind([head(a, 4), head(c, 3)], all)]).toEqual([[a, 5]]);
    expect([...told.behind([head(a, 8), head(c, 3)], all)]).toEqual([[a, 1]]);
    expect([...told.behind([head(a, 9), head(c, 3)], all)]).toEqual([]);
  });

  it('is believed no longer once the teller has given all it has, or is a member no more', () => {
    const told = new ToldHeads();
    told.tell(b, [head(a, 1_000_000)], [head(a, 4)], all);
    expect(told.behind([head(a, 4)], all).get(a)).toBe(999_996);
    told.given(b);
    expect(told.behind([head(a, 4)], all).size).toBe(0);
    told.tell(b, [head(a, 9)], [], all);
    expect(told.behind([], (member) => member !== b).size).toBe(0);
    expect(told.behind([], all).size).toBe(0);
  });

  it('leaves out authors that do not count here', () => {
    const told = new ToldHeads();
    told.tell(b, [head(a, 9)], [], (author) => author !== a);
    expect(told.behind([], all).size).toBe(0);
  });
});
