import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AddressBook } from '../../../daemon/src/mesh/domain/address-book.ts';
import { FULL_MESH_BELOW } from '../../../daemon/src/mesh/domain/connection-choice.ts';
import { Connector } from '../../../daemon/src/mesh/domain/connector.ts';
import { PeerTable } from '../../../daemon/src/mesh/domain/peer-table.ts';
import type { Host, Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { type PeerKey, parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';

const key = (name: string): PeerKey => parsePeerKey(createHash('sha256').update(name).digest('hex'));
const NEVER = new AbortController().signal;

/** A connector whose host dials into a table: who is `up` answers. */
class Bench {
  /** What waits goes by it. Stands still once it is set. */
  at: number | undefined;
  /** How far the clock of people has been set. */
  setBy = 0;
  readonly self = key('self');
  readonly members = new Map<PeerKey, unknown>();
  readonly up = new Set<PeerKey>();
  readonly dials = new Map<PeerKey, number>();
  readonly peers = new PeerTable(this.self, () => this.now);
  readonly connector: Connector;
  away = 0;

  get now(): number {
    return this.at ?? Date.now();
  }

  constructor(members: number) {
    for (const name of ['self', ...Array.from({ length: members - 1 }, (_, index) => String(index))]) this.members.set(key(name), {});
    const book = new AddressBook(memoryKv(), parseDomainId('ab'.repeat(32)));
    for (const member of this.members.keys()) book.hinted(member, [{ host: '127.0.0.1', port: 1 }]);
    const host = {
      key: this.self,
      dial: (_address: unknown, peer: PeerKey) => this.#dial(peer),
      dialThrough: () => Promise.reject(new DtkdError('PEER_AWAY', 'no relay')),
      findPeer: async () => [],
    };
    this.connector = new Connector({
      host: host as unknown as Host,
      book,
      peers: this.peers,
      logger: silentLogger,
      now: () => this.now + this.setBy,
      ticks: () => this.now,
      members: () => this.members,
      greet: async (link) => {
        this.peers.add(link, undefined, []);
        this.connector.connected(link);
      },
      onAway: () => {
        this.away += 1;
      },
    });
  }

  async #dial(peer: PeerKey): Promise<Link> {
    this.dials.set(peer, (this.dials.get(peer) ?? 0) + 1);
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.up.has(peer)) throw new DtkdError('ADDRESS_UNREACHABLE', 'nobody there');
    return { peer, inbound: false, via: undefined, closed: false, openedAt: this.now } as unknown as Link;
  }

  reach(peer: PeerKey): string {
    return this.connector.reach(peer, this.peers.best(peer) !== undefined).reach;
  }

  dialled(peer: PeerKey): number {
    return this.dials.get(peer) ?? 0;
  }
}

describe('the connector', () => {
  let bench: Bench;
  let stranger: PeerKey;
  afterEach(() => bench.connector.stop());

  describe('of a domain in which each is connected with some', () => {
    beforeEach(async () => {
      bench = new Bench(FULL_MESH_BELOW + 8);
      for (const member of bench.members.keys()) bench.up.add(member);
      bench.connector.wake();
      await waitFor(() => bench.peers.connected().length === 6, { what: 'the neighbours to be connected' });
      bench.at = bench.now;
      stranger = [...bench.members.keys()].find((member) => member !== bench.self && !bench.connector.isNeighbour(member)) ?? bench.self;
    });

    it('connects with any other when something is asked of it, once for all who ask', async () => {
      expect(bench.reach(stranger)).toBe('idle');
      const links = await Promise.all(Array.from({ length: 1_000 }, () => bench.connector.ensure(stranger, NEVER)));
      expect(new Set(links).size).toBe(1);
      expect(bench.dialled(stranger)).toBe(1);
      expect(bench.reach(stranger)).toBe('connected');
    });

    it('tells at once that one is away that could not be reached a moment ago', async () => {
      bench.up.delete(stranger);
      const refused = await Promise.allSettled(Array.from({ length: 1_000 }, () => bench.connector.ensure(stranger, NEVER)));
      expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
      for (let times = 0; times < 100; times += 1) {
        await expect(bench.connector.ensure(stranger, NEVER)).rejects.toMatchObject({ code: 'PEER_AWAY' });
      }
      expect(bench.dialled(stranger)).toBe(1);
      expect(bench.away).toBe(1);
      expect(bench.reach(stranger)).toBe('away');
      expect(bench.connector.reach(stranger, false).awaySince).toBe(bench.now);
    });

    it('tries one that is away again when it is wanted, and knows when it is back', async () => {
      bench.up.delete(stranger);
      await expect(bench.connector.ensure(stranger, NEVER)).rejects.toMatchObject({ code: 'PEER_AWAY' });
      bench.up.add(stranger);
      bench.at = bench.now + 2_000;
      for (let times = 0; times < 100; times += 1) bench.connector.want(stranger);
      await waitFor(() => bench.reach(stranger) === 'connected', { what: 'it to be back' });
      expect(bench.dialled(stranger)).toBe(2);
    });

    it('waits no longer because the clock is set back', async () => {
      bench.up.delete(stranger);
      await expect(bench.connector.ensure(stranger, NEVER)).rejects.toMatchObject({ code: 'PEER_AWAY' });
      bench.up.add(stranger);
      bench.setBy = -24 * 3_600_000;
      bench.at = bench.now + 2_000;
      const link = await bench.connector.ensure(stranger, NEVER);
      expect(link.peer).toBe(stranger);
      expect(bench.reach(stranger)).toBe('connected');
    });

    it('goes on trying one that is away when nobody asks any more', async () => {
      bench.up.delete(stranger);
      await expect(bench.connector.ensure(stranger, NEVER)).rejects.toMatchObject({ code: 'PEER_AWAY' });
      bench.up.add(stranger);
      bench.at = bench.now + 10 * 60_000;
      bench.connector.wake();
      await waitFor(() => bench.reach(stranger) === 'connected', { what: 'it to be back' });
      expect(bench.connector.requests.has(stranger)).toBe(false);
    });

    it('does not take a request that was given up for a sign that the member is away', async () => {
      const given = new AbortController();
      given.abort();
      await expect(bench.connector.ensure(stranger, given.signal)).rejects.toMatchObject({ code: 'PEER_AWAY' });
      expect(bench.away).toBe(0);
    });

    it('does not dial again one whose connection ended while nobody used it', async () => {
      const link = await bench.connector.ensure(stranger, NEVER);
      bench.connector.requests.drop(stranger);
      bench.peers.remove(link);
      bench.connector.hurry(stranger);
      await bench.connector.ensure(
        [...bench.members.keys()].find((other) => bench.reach(other) === 'idle' && other !== stranger && other !== bench.self) ?? stranger,
        NEVER,
      );
      expect(bench.dialled(stranger)).toBe(1);
      expect(bench.reach(stranger)).toBe('idle');
    });
  });

  it('takes whoever is not connected for away in a small domain', () => {
    bench = new Bench(FULL_MESH_BELOW - 1);
    expect(bench.reach(key('0'))).toBe('away');
  });
});
