/**
 * The ways to one member: its known addresses, then a circuit through another member; beside them the routing table is asked where it
 * moved. Owns how a member is reached, never when. One try at a time to each member; who asks meanwhile waits for the same.
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

/** Opening a circuit. */
const RELAY_TIMEOUT_MS = 5_000;
/** Asking the routing table again for a member. */
const FIND_RETRY_MS = 10_000;
/** Asking the neighbours again where a member is. */
const WHERE_RETRY_MS = 2_000;
/** Neighbours asked at a time; a small frame each. */
const MAX_ASKED = 32;
/** Connected members that are asked to relay, for one attempt. */
const RELAYS_TRIED = 3;
/** The same while a request waits: in a large domain few of them have a connection with the member, and those without refuse at once. */
const RELAYS_TRIED_FOR_REQUEST = 12;
/** Asking relays again for a member that none of them could reach. */
const RELAY_RETRY_MS = 10_000;

export interface WaysPorts {
  host: Host;
  book: AddressBook;
  peers: PeerTable;
  /** Milliseconds by a clock that nobody sets. */
  ticks(): number;
  /** Runs hello on a new outbound link; rejects if it was not admitted. */
  greet(link: Link): Promise<void>;
  /** True if it was tried several times in vain: it may have moved. */
  isMissed(peer: PeerKey): boolean;
  /** True if somebody waits for it. */
  isRequested(peer: PeerKey): boolean;
  /** A new address of the member was learnt. */
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

  /** Resolves with why the direct way failed, if it leads through another member; rejects with that, if nothing does. */
  connect(peer: PeerKey): Promise<unknown> {
    const current = this.#connecting.get(peer);
    if (current !== undefined) return current;
    const connecting = this.#tryAll(peer, this.#stop).finally(() => this.#connecting.delete(peer));
    this.#connecting.set(peer, connecting);
    return connecting;
  }

  /** A member was admitted: it may lead to others. */
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
        // The next one may have a connection with it.
      }
    }
    throw failure;
  }

  /**
   * Relays are asked at once when the direct way fails, then rarely: a member that is away would cost each of its neighbours three
   * requests at every try. A newcomer whose address nobody told yet is given a moment to tell it, or to come by itself.
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

  /** Nobody has told where the member is, as may be in a large domain. */
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

  /** Asks the routing table, beside whatever else is tried. */
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
