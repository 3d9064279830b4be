/**
 * The ways to one member: its known addresses, then a circuit through another member. Meanwhile the routing table is asked whether it
 * moved. Owns how a member is reached, never when. One try per member at a time; concurrent callers share it.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import { WHERE_PROTOCOL } from '../../../../protocol/peers/whereabouts.ts';
import { within } from '../../signals/within.ts';
import type { Host, Link } from '../host/host.types.ts';
import type { AddressBook } from './address-book.ts';
import type { PeerTable } from './peer-table.ts';
import { raceDials } from './race-dials.ts';
import { resolveAddress } from './resolve.ts';
import { askWhere } from './where.ts';

/** Timeout for opening a circuit. */
const RELAY_TIMEOUT_MS = 5_000;
/** Interval for asking the routing table for one member. */
const FIND_RETRY_MS = 10_000;
/** Interval for asking the neighbours where one member is. */
const WHERE_RETRY_MS = 2_000;
/** Neighbours asked at a time; each question is a small frame. */
const MAX_ASKED = 32;
/** Connected members that are asked to relay in one attempt. */
const RELAYS_TRIED = 3;
/** The same while a request waits: in a large domain few have a connection with the member, and the others refuse at once. */
const RELAYS_TRIED_FOR_REQUEST = 12;
/** Interval for asking relays for a member that none of them could reach. */
const RELAY_RETRY_MS = 10_000;

export interface WaysPorts {
  host: Host;
  book: AddressBook;
  peers: PeerTable;
  /** Milliseconds on a monotonic clock. */
  ticks(): number;
  /** Runs hello on a new outbound link; rejects if it was not admitted. */
  greet(link: Link): Promise<void>;
  /** True if several tries have failed: the member may have moved. */
  isMissed(peer: PeerKey): boolean;
  /** True if a request waits for the member. */
  isRequested(peer: PeerKey): boolean;
  /** Called when a new address of the member was learnt. */
  onFound(peer: PeerKey): void;
}

export class Ways {
  readonly #ports: WaysPorts;
  readonly #stop: AbortSignal;
  readonly #connecting = new Map<PeerKey, Promise<unknown>>();
  /** When relays were last asked for a member. */
  readonly #relayTries = new Map<PeerKey, number>();
  /** When the neighbours were last asked where a member is. */
  readonly #whereTries = new Map<PeerKey, number>();
  /** When the routing table was last asked for a member. */
  readonly #findTries = new Map<PeerKey, number>();

  constructor(ports: WaysPorts, stop: AbortSignal) {
    this.#ports = ports;
    this.#stop = stop;
  }

  /**
   * Connects with the member. Resolves with undefined if that was direct, or with the reason why the direct way failed if the member is
   * connected otherwise. Rejects with that reason if nothing works.
   */
  connect(peer: PeerKey): Promise<unknown> {
    const current = this.#connecting.get(peer);
    if (current !== undefined) return current;
    const connecting = this.#tryAll(peer, this.#stop).finally(() => this.#connecting.delete(peer));
    this.#connecting.set(peer, connecting);
    return connecting;
  }

  /** Lets relays be asked again at once: a member was admitted, and it may lead to others. */
  askRelaysAgain(): void {
    this.#relayTries.clear();
  }

  async #tryAll(peer: PeerKey, signal: AbortSignal): Promise<unknown> {
    let failure: unknown;
    try {
      await this.#connectDirectly(peer, signal);
      return undefined;
    } catch (error) {
      failure = error;
    }
    if (this.#ports.peers.best(peer) !== undefined) return failure;
    if (!this.#mayTryRelays(peer)) throw failure;
    for (const relay of this.#relaysFor(peer)) {
      if (signal.aborted) break;
      try {
        const limit = within(RELAY_TIMEOUT_MS, signal);
        await this.#ports.greet(await this.#ports.host.dialThrough(relay, peer, limit));
        return failure;
      } catch {
        // The next one may be connected with the member.
      }
    }
    throw failure;
  }

  /**
   * Relays are asked at once when the direct way fails, and rarely after that: otherwise an absent member would cost each of its
   * neighbours three requests per try. A newcomer with no known address gets a moment to announce one, or to dial us.
   */
  #mayTryRelays(peer: PeerKey): boolean {
    const { book, ticks, isMissed, isRequested } = this.#ports;
    if (book.of(peer).length === 0 && !isRequested(peer) && !isMissed(peer)) return false;
    if (ticks() - (this.#relayTries.get(peer) ?? Number.NEGATIVE_INFINITY) < RELAY_RETRY_MS) return false;
    this.#relayTries.set(peer, ticks());
    return true;
  }

  #relaysFor(peer: PeerKey): PeerKey[] {
    const candidates = this.#ports.peers.connected().filter((key) => key !== peer && this.#ports.peers.hasDirect(key));
    return candidates
      .map((key) => ({ key, lot: Math.random() }))
      .sort((a, b) => a.lot - b.lot)
      .slice(0, this.#ports.isRequested(peer) ? RELAYS_TRIED_FOR_REQUEST : RELAYS_TRIED)
      .map(({ key }) => key);
  }

  async #connectDirectly(peer: PeerKey, signal: AbortSignal): Promise<void> {
    const addresses = await this.#addressesOf(peer);
    const link = await raceDials(addresses, signal, (address, limit, options) => this.#ports.host.dial(address, peer, limit, options));
    await this.#ports.greet(link);
    if (link.remote !== undefined) this.#ports.book.succeeded(peer, link.remote);
  }

  async #addressesOf(peer: PeerKey): Promise<Address[]> {
    if (this.#ports.isRequested(peer) && this.#ports.book.of(peer).length === 0) await this.#askNeighbours(peer);
    const known = this.#ports.book.of(peer);
    if (known.length === 0 || this.#ports.isMissed(peer)) this.#find(peer);
    const resolved = await Promise.all(known.map((address) => resolveAddress(address).catch(() => [])));
    return resolved.flat();
  }

  /** Asks the neighbours where the member is, for a large domain in which no hint of it has come. */
  async #askNeighbours(peer: PeerKey): Promise<void> {
    const { book, peers, ticks } = this.#ports;
    if (ticks() - (this.#whereTries.get(peer) ?? Number.NEGATIVE_INFINITY) < WHERE_RETRY_MS) return;
    this.#whereTries.set(peer, ticks());
    const links = peers.connected().flatMap((key) => {
      const link = peers.best(key);
      return link !== undefined && peers.protocols(link).includes(WHERE_PROTOCOL) ? [link] : [];
    });
    book.hinted(peer, await askWhere(links.slice(0, MAX_ASKED), peer));
  }

  /** Asks the routing table, while other ways are tried. */
  #find(peer: PeerKey): void {
    const { book, host, ticks, onFound } = this.#ports;
    if (ticks() - (this.#findTries.get(peer) ?? Number.NEGATIVE_INFINITY) < FIND_RETRY_MS) return;
    this.#findTries.set(peer, ticks());
    const limit = within(FIND_RETRY_MS, this.#stop);
    host
      .findPeer(peer, limit)
      .then((found) => {
        if (found.length > 0 && book.hinted(peer, found)) onFound(peer);
      })
      .catch(() => {});
  }
}
