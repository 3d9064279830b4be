import { expect, it } from 'vitest';
import { PeerTable } from '../../../daemon/src/mesh/domain/peer-table.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { type PeerKey, parsePeerKey } from '../../../protocol/ids.ts';

const [low, high] = ['1', '2'].map((digit) => parsePeerKey(digit.repeat(64))) as [PeerKey, PeerKey];
const address = { host: '192.0.2.1', port: 7701 };

function link(peer: PeerKey, inbound: boolean, openedAt: number, via?: PeerKey): Link {
  return { peer, inbound, openedAt, via, closed: false } as unknown as Link;
}

it('lets both sides choose the same of two connections that each dialled at once, whichever they saw first', () => {
  for (const [firstAtLow, firstAtHigh] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const atLow = new PeerTable(low, Date.now);
    const atHigh = new PeerTable(high, Date.now);
    const dialled = link(high, false, firstAtLow);
    const answered = link(low, true, firstAtHigh);
    atLow.add(dialled, address, []);
    atLow.add(link(high, true, 1 - firstAtLow), address, []);
    atHigh.add(answered, address, []);
    atHigh.add(link(low, false, 1 - firstAtHigh), address, []);
    expect(atLow.best(high)).toBe(dialled);
    expect(atHigh.best(low)).toBe(answered);
  }
});

it('prefers a direct connection, and of equal ones the older', () => {
  const table = new PeerTable(low, Date.now);
  const relayed = link(high, false, 1, parsePeerKey('3'.repeat(64)));
  const direct = [3, 2].map((at) => link(high, true, at));
  table.add(relayed, undefined, []);
  for (const each of direct) table.add(each, address, []);
  expect(table.links(high)).toEqual([direct[1], direct[0], relayed]);
});

it('names an address once, however many connections lead to it', () => {
  const table = new PeerTable(low, Date.now);
  const other = { host: '2001:db8::1', port: 7701 };
  for (const where of [address, { ...address }, other]) table.add(link(high, true, 0), where, []);
  expect(table.directAddresses(high)).toEqual([address, other]);
});

it('tells a member that has told of no removal apart from one that has told nothing yet', () => {
  const table = new PeerTable(low, Date.now);
  table.add(link(high, true, 0), address, []);
  expect(table.presence(high).heard).toBeUndefined();
  expect([table.heard(high, []), table.heard(high, [])]).toEqual([true, false]);
  expect(table.presence(high).heard).toEqual(new Set());
});
