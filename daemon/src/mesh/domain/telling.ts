/**
 * Gossip of one domain: sends what is new here to all members, and judges incoming messages before they are forwarded. Owns what was
 * already sent and who sends it: the creator of an item at once, a member that got it in a conversation a little later, in case gossip did
 * not bring it. What gossip cannot carry goes by synchronisation.
 */
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';
import { type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import { decodeGossip, encodeGossip, type GossipKind } from '../../../../protocol/peers/gossip.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { Seldom } from '../../logging/seldom.ts';
import type { Host, Verdict } from '../host/host.types.ts';
import type { DomainLog } from '../log/log.types.ts';
import type { Membership, SignedItem } from '../membership/membership.types.ts';

/** Delay before items that came by hello or a pull are gossiped on; if gossip brought them meanwhile, that costs nothing. */
const RETELL_DELAY_MS = 200;

/** Errors that the forwarder could have found itself. Any other is this node's own: a full disk, a closing store. */
const BLAMED: readonly ErrorCode[] = ['ENTRY_INVALID', 'SIGNATURE_INVALID', 'QUOTA_EXCEEDED', 'FRAME_INVALID', 'FRAME_TOO_LARGE'];

export interface TellingPorts {
  host: Pick<Host, 'publish'>;
  membership: Membership;
  log: DomainLog;
  logger: Logger;
  connected(): PeerKey[];
  /** Asks a member for the entries that we lack. */
  pull(peer: PeerKey): Promise<unknown>;
  /** Sends items to one member, and makes both sets equal. */
  pushFacts(peer: PeerKey, items: readonly SignedItem[]): Promise<void>;
}

export class Telling {
  /** The membership as conversations use it: what they add counts as received, not as made here. */
  readonly received: Membership;
  readonly counters = { gossipAccepted: 0, gossipIgnored: 0, gossipRejected: 0 };
  readonly #ports: TellingPorts;
  readonly #known: Set<string>;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Members with which facts are being made equal because of what they gossiped. */
  readonly #equalising = new Set<PeerKey>();
  readonly #seldom = new Seldom();
  #receiving = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(ports: TellingPorts) {
    this.#ports = ports;
    this.#known = new Set(ports.membership.items().map(({ id }) => id));
    this.received = this.#receivingMembership(ports.membership);
  }

  gossip(kind: GossipKind, bytes: Uint8Array): void {
    const { host, logger } = this.#ports;
    host
      .publish(encodeGossip(kind, bytes))
      .then((sent) => {
        // Too large for gossip, as a rotation in a large domain. This is rare enough to sync with each neighbour instead.
        if (!sent) this.#push([]);
      })
      .catch((err: unknown) => logger.debug({ err }, 'A message was not gossiped; it is sent by synchronisation'));
  }

  /** Gossips what is new in the membership. Urgent items are also sent to each neighbour directly, and each acknowledges them. */
  tell({ urgent }: { urgent: boolean }): void {
    const fresh = this.#takeFresh();
    if (fresh.length === 0) return;
    const gossip = (): void => {
      for (const { bytes } of fresh) this.gossip('item', bytes);
    };
    if (this.#receiving > 0) {
      this.#later(gossip);
      return;
    }
    gossip();
    if (urgent) this.#push(fresh);
  }

  /** Sends what is new to each neighbour directly; resolves when all have answered or failed. */
  async pushFresh(): Promise<void> {
    const fresh = this.#takeFresh();
    await Promise.all(this.#ports.connected().map((peer) => this.#ports.pushFacts(peer, fresh).catch(() => {})));
  }

  /** Judges gossip from neighbours, one message after another in the order of arrival. */
  judge(from: PeerKey, message: Uint8Array): Promise<Verdict> {
    const verdict = this.#turn.then(() => this.#judge(from, message));
    this.#turn = verdict.catch(() => {});
    return verdict;
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #judge(from: PeerKey, message: Uint8Array): Promise<Verdict> {
    let verdict: Verdict;
    try {
      const { kind, bytes } = decodeGossip(message);
      verdict = kind === 'entry' ? await this.#judgeEntry(from, bytes) : await this.#judgeItem(from, bytes);
    } catch (error) {
      const { logger } = this.#ports;
      const blame = error instanceof DtkdError && BLAMED.includes(error.code);
      const topic = `${error instanceof DtkdError ? error.code : ''} ${from}`;
      this.#seldom.say(topic, (unsaid) => {
        if (blame) logger.warn({ err: error, from: peerIdOf(from), ...unsaid }, 'A member passed on something invalid');
        else logger.error({ err: error, ...unsaid }, 'What was gossiped could not be stored');
      });
      verdict = blame ? 'reject' : 'ignore';
    }
    this.counters[verdict === 'accept' ? 'gossipAccepted' : verdict === 'reject' ? 'gossipRejected' : 'gossipIgnored'] += 1;
    return verdict;
  }

  async #judgeEntry(from: PeerKey, entry: Uint8Array): Promise<Verdict> {
    const result = await this.#ports.log.receive(entry);
    if (result === 'gap' || result === 'unknown-author') void this.#ports.pull(from);
    return result === 'applied' ? 'accept' : 'ignore';
  }

  async #judgeItem(from: PeerKey, item: Uint8Array): Promise<Verdict> {
    const { added, rejected } = await this.received.add([item]);
    if (added.length > 0) return 'accept';
    if (rejected.some(({ code }) => code === 'SIGNATURE_INVALID' || code === 'FRAME_INVALID' || code === 'FRAME_TOO_LARGE')) {
      throw new DtkdError('SIGNATURE_INVALID', rejected[0]?.message ?? 'the item does not verify');
    }
    // It builds on an item that is not known here yet.
    if (rejected.length > 0) this.#equalise(from);
    return 'ignore';
  }

  /** One exchange at a time with each peer, since what it gossips may be made up. Comparisons find what comes meanwhile. */
  #equalise(peer: PeerKey): void {
    if (this.#equalising.has(peer)) return;
    this.#equalising.add(peer);
    this.#ports
      .pushFacts(peer, [])
      .catch(() => {})
      .finally(() => this.#equalising.delete(peer));
  }

  #takeFresh(): SignedItem[] {
    const fresh = this.#ports.membership.items().filter(({ id }) => !this.#known.has(id));
    for (const { id } of fresh) this.#known.add(id);
    return fresh;
  }

  #push(items: readonly SignedItem[]): void {
    for (const peer of this.#ports.connected()) this.#ports.pushFacts(peer, items).catch(() => {});
  }

  #receivingMembership(membership: Membership): Membership {
    return new Proxy(membership, {
      get: (target, property) => {
        if (property === 'add') return (items: readonly Uint8Array[]) => this.#receive(target, items);
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  async #receive(membership: Membership, items: readonly Uint8Array[]): ReturnType<Membership['add']> {
    this.#receiving += 1;
    try {
      return await membership.add(items);
    } finally {
      this.#receiving -= 1;
    }
  }

  #later(run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, RETELL_DELAY_MS);
    this.#timers.add(timer);
  }
}
