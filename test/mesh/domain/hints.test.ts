import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { chooseHints } from '../../../daemon/src/mesh/domain/hints.ts';
import { type PeerKey, parsePeerKey } from '../../../protocol/ids.ts';

const key = (name: string): PeerKey => parsePeerKey(createHash('sha256').update(name).digest('hex'));
const [to, a, b, c, e] = ['to', 'a', 'b', 'c', 'e'].map(key) as [PeerKey, PeerKey, PeerKey, PeerKey, PeerKey];

it('tells of those that are connected first, then of others by lot, each once and never of whom it tells', () => {
  const lots = [0.9, 0.1];
  const random = (): number => lots.shift() ?? 0;
  expect(chooseHints({ to, connected: [a, to, b], known: [b, to, c, e], max: 9, random })).toEqual([a, b, e, c]);
  expect(chooseHints({ to, connected: [a, to, b], known: [c, e], max: 2, random })).toEqual([a, b]);
  expect(chooseHints({ to, connected: [], known: [], max: 2, random })).toEqual([]);
});
