import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { IDLE_MS } from '../../../daemon/src/mesh/domain/connection-choice.ts';
import { IdleLinks } from '../../../daemon/src/mesh/domain/idle-links.ts';
import { MAX_REQUESTED, Requests } from '../../../daemon/src/mesh/domain/requests.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { type PeerKey, parsePeerKey } from '../../../protocol/ids.ts';

const key = (name: string): PeerKey => parsePeerKey(createHash('sha256').update(name).digest('hex'));
const neighbour = key('neighbour');
const member = key('member');

interface Fake {
  peer: PeerKey;
  inbound: boolean;
  admitted: boolean;
  closed: boolean;
  busy: boolean;
  openedAt: number;
}

describe('connections that nothing needs', () => {
  let now = 0;
  let links: Fake[] = [];
  let requests: Requests;
  let idle: IdleLinks;

  beforeEach(() => {
    now = 0;
    links = [];
    requests = new Requests();
    idle = new IdleLinks({
      links: () => links as unknown as Link[],
      isNeighbour: (peer) => peer === neighbour,
      requests,
      ticks: () => now,
    });
  });

  function add(peer: PeerKey, fields: Partial<Fake> = {}): Fake {
    const link = { peer, inbound: false, admitted: true, closed: false, busy: false, openedAt: now, ...fields };
    links.push(
      Object.assign(link, {
        close: async () => {
          link.closed = true;
        },
      }),
    );
    return link;
  }

  const closedAfter = (link: Fake, ms: number): boolean => {
    now += ms;
    idle.sweep();
    return link.closed;
  };

  it('are closed by the side that dialled, and never those to a neighbour', () => {
    const link = add(member);
    const spared = [add(neighbour), add(member, { inbound: true }), add(member, { admitted: false })];
    expect(closedAfter(link, IDLE_MS - 1)).toBe(false);
    expect(closedAfter(link, 1)).toBe(true);
    expect(spared.some(({ closed }) => closed)).toBe(false);
  });

  it('last as long as something runs on them, and a while longer', () => {
    const link = add(member, { busy: true });
    for (let times = 0; times < 5; times += 1) expect(closedAfter(link, IDLE_MS)).toBe(false);
    link.busy = false;
    expect(closedAfter(link, IDLE_MS - 1)).toBe(false);
    expect(closedAfter(link, 1)).toBe(true);
  });

  it('last as long as something depends on them', () => {
    const link = add(member);
    const [first, second] = [requests.hold(member), requests.hold(member)];
    expect(closedAfter(link, 2 * IDLE_MS)).toBe(false);
    first();
    first();
    expect(closedAfter(link, 2 * IDLE_MS)).toBe(false);
    second();
    expect(closedAfter(link, IDLE_MS)).toBe(true);
  });

  it('are kept for what was asked lately, and forgotten with it', () => {
    const link = add(member);
    now = IDLE_MS - 1;
    requests.note(member, now);
    expect(closedAfter(link, 1)).toBe(false);
    expect(closedAfter(link, IDLE_MS)).toBe(true);
    expect(requests.has(member)).toBe(false);
  });
});

describe('requests', () => {
  it('are remembered for a while, for members, and so many of them', () => {
    const requests = new Requests();
    for (let number = 0; number <= MAX_REQUESTED; number += 1) requests.note(key(String(number)), 1);
    expect(requests.has(key('0'))).toBe(false);
    requests.note(member, 2);
    const left = requests.current(IDLE_MS, () => true);
    expect(left).toHaveLength(MAX_REQUESTED);
    expect(requests.current(IDLE_MS + 1, () => true)).toEqual([member]);
    expect(requests.current(IDLE_MS + 1, () => false)).toEqual([]);
  });
});
