/**
 * Keeps this node connected with the members that it should be connected with: dials, waits longer after each failure, goes through
 * another member where the direct way fails, and keeps trying the direct way. Owns when and whom to dial; what a connection then says is
 * the domain's affair.
 */
import { randomBytes } from 'node:crypto';
import type { Address } from '../../../../protocol/address.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import type { Logger } from '../../logger.ts';
import type { Host, Link } from '../host/host.types.ts';
import type { AddressBook } from './address-book.ts';
import { backoff, WAN_MAX_WAIT_MS } from './backoff.ts';
import { chooseNeighbours } from './connection-choice.ts';
import type { PeerTable } from './peer-table.ts';
import { raceDials } from './race-dials.ts';
import { resolveAddress } from './resolve.ts';

/** Dials at a time. A restarted node of a full domain has 31 to make. */
const MAX_DIALS = 8;
/** Opening a circuit. */
const RELAY_TIMEOUT_MS = 5_000;
/** Asking the routing table again for a member. */
const FIND_RETRY_MS = 10_000;
/** Connected members that are asked to relay, for one attempt. */
const RELAYS_TRIED = 3;
/** Asking relays again for a member that none of them could reach. */
const RELAY_RETRY_MS = 10_000;
/** Failures after which a member counts as unreachable for the choice of neighbours. */
const UNREACHABLE_AFTER = 3;
/** Two nodes that learn of each other at once should not both dial. */
const FIRST_DIAL_SPREAD_MS = 150;
/** A relayed connection is used meanwhile, so the direct way is tried rarely. */
const DIRECT_RETRY_MS = WAN_MAX_WAIT_MS;
/** A member that something was asked of stays a neighbour for so long. */
const REQUEST_KEEP_MS = 10 * 60_000;

export interface ConnectorPorts {
  host: Host;
  book: AddressBook;
  peers: PeerTable;
  logger: Logger;
  now(): number;
  members(): Iterable<PeerKey>;
  /** Runs hello on a new outbound link; rejects if it was not admitted. */
  greet(link: Link): Promise<void>;
}

interface Attempt {
  failures: number;
  /** When the member was first missed. */
  since: number;
  due: number;
  running: boolean;
}

export class Connector {
  readonly #ports: ConnectorPorts;
  readonly #attempts = new Map<PeerKey, Attempt>();
  readonly #seed = randomBytes(16).toString('hex');
  readonly #stop = new AbortController();
  readonly #requested = new Map<PeerKey, number>();
  readonly #connecting = new Map<PeerKey, Promise<void>>();
  /** When relays were last asked for a member. */
  readonly #relayTries = new Map<PeerKey, number>();
  /** When the routing table was last asked for a member. */
  readonly #findTries = new Map<PeerKey, number>();
  #running = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: ConnectorPorts) {
    this.#ports = ports;
  }

  /** Looks at once whom to dial: members changed, a link closed, an address was learnt. */
  wake(): void {
    if (this.#stop.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), 0);
  }

  /** Forgets the back-off of a member: it was connected until now, or an address of it was learnt. */
  hurry(peer: PeerKey): void {
    const attempt = this.#attempts.get(peer);
    if (attempt !== undefined) {
      attempt.failures = 0;
      attempt.due = this.#ports.now();
    }
    this.wake();
  }

  /** A member was admitted: it may lead to others, and one that came through a relay has now told its own addresses. */
  connected(link: Link): void {
    this.#relayTries.clear();
    if (link.via === undefined) this.wake();
    else this.hurry(link.peer);
  }

  /** True if a member that should be a neighbour has been out of reach for so long, and it was not for want of trying. */
  misses(forMs: number): boolean {
    const before = this.#ports.now() - forMs;
    return [...this.#attempts].some(
      ([peer, { since, failures }]) => since <= before && failures >= UNREACHABLE_AFTER && this.#ports.peers.best(peer) === undefined,
    );
  }

  /** A connected link to the member, made if need be. Errors: PEER_AWAY. */
  async ensure(peer: PeerKey, signal: AbortSignal): Promise<Link> {
    const existing = this.#ports.peers.best(peer);
    if (existing !== undefined) return existing;
    this.#requested.set(peer, this.#ports.now());
    await Promise.race([this.#connect(peer), aborted(signal)]);
    const link = this.#ports.peers.best(peer);
    if (link === undefined) throw new DtkdError('PEER_AWAY', 'the member cannot be reached');
    return link;
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  #wanted(): Set<PeerKey> {
    const unreachable = new Set([...this.#attempts].filter(([, { failures }]) => failures >= UNREACHABLE_AFTER).map(([key]) => key));
    const members = new Set(this.#ports.members());
    const wanted = chooseNeighbours({ self: this.#ports.host.key, members, unreachable, seed: this.#seed });
    for (const [peer, at] of this.#requested) {
      if (!members.has(peer) || this.#ports.now() - at > REQUEST_KEEP_MS) this.#requested.delete(peer);
      else wanted.add(peer);
    }
    return wanted;
  }

  #tick(): void {
    if (this.#stop.signal.aborted) return;
    const now = this.#ports.now();
    const wanted = this.#wanted();
    for (const peer of this.#attempts.keys()) if (!wanted.has(peer)) this.#attempts.delete(peer);
    let next = Number.POSITIVE_INFINITY;
    for (const peer of wanted) {
      if (this.#ports.peers.hasDirect(peer)) {
        this.#attempts.delete(peer);
        continue;
      }
      const attempt = this.#attempts.get(peer) ?? {
        failures: 0,
        since: now,
        due: now + Math.random() * FIRST_DIAL_SPREAD_MS,
        running: false,
      };
      this.#attempts.set(peer, attempt);
      if (attempt.running) continue;
      if (attempt.due <= now && this.#running < MAX_DIALS) void this.#attempt(peer, attempt);
      else next = Math.min(next, attempt.due);
    }
    if (next < Number.POSITIVE_INFINITY) {
      clearTimeout(this.#timer);
      // A free slot wakes us too; the floor keeps a due attempt without a slot from spinning.
      this.#timer = setTimeout(() => this.#tick(), Math.max(next - now, 20));
    }
  }

  async #attempt(peer: PeerKey, attempt: Attempt): Promise<void> {
    attempt.running = true;
    this.#running += 1;
    const due = attempt.due;
    let reachable = false;
    try {
      await this.#connect(peer);
      attempt.failures = 0;
    } catch (error) {
      attempt.failures += 1;
      // Somebody is there and could not finish: trying again soon makes a busy machine busier.
      reachable = !(error instanceof DtkdError && error.code === 'ADDRESS_UNREACHABLE');
      this.#ports.logger.debug({ err: error, peer: peerIdOf(peer), failures: attempt.failures }, 'Could not connect');
    } finally {
      attempt.running = false;
      this.#running -= 1;
      const relayed = this.#ports.peers.best(peer) !== undefined;
      const lan = !reachable && this.#ports.book.isLan(peer);
      const wait = relayed ? DIRECT_RETRY_MS : backoff(attempt.failures, lan, Math.random());
      // Unless it was hurried meanwhile.
      if (attempt.due === due) attempt.due = this.#ports.now() + wait;
      this.wake();
    }
  }

  /** One way at a time to each member; who asks meanwhile waits for the same. */
  #connect(peer: PeerKey): Promise<void> {
    const current = this.#connecting.get(peer);
    if (current !== undefined) return current;
    const connecting = this.#tryWays(peer, this.#stop.signal).finally(() => this.#connecting.delete(peer));
    this.#connecting.set(peer, connecting);
    return connecting;
  }

  async #tryWays(peer: PeerKey, signal: AbortSignal): Promise<void> {
    let failure: unknown;
    try {
      await this.#connectDirectly(peer, signal);
      return;
    } catch (error) {
      failure = error;
    }
    if (this.#ports.peers.best(peer) !== undefined) return;
    if (!this.#mayTryRelays(peer)) throw failure;
    for (const relay of this.#relaysFor(peer)) {
      if (signal.aborted) break;
      try {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(RELAY_TIMEOUT_MS)]);
        await this.#ports.greet(await this.#ports.host.dialThrough(relay, peer, limit));
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /**
   * Relays are asked at once when the direct way fails, then rarely: a member that is away would cost each of its neighbours three
   * requests at every try. A newcomer whose address nobody told yet is given a moment to tell it, or to come by itself.
   */
  #mayTryRelays(peer: PeerKey): boolean {
    const now = this.#ports.now();
    const unknown = this.#ports.book.of(peer).length === 0 && !this.#requested.has(peer);
    if (unknown && (this.#attempts.get(peer)?.failures ?? 0) < UNREACHABLE_AFTER) return false;
    if (now - (this.#relayTries.get(peer) ?? Number.NEGATIVE_INFINITY) < RELAY_RETRY_MS) return false;
    this.#relayTries.set(peer, now);
    return true;
  }

  #relaysFor(peer: PeerKey): PeerKey[] {
    const candidates = this.#ports.peers.connected().filter((key) => key !== peer && this.#ports.peers.hasDirect(key));
    return candidates
      .map((key) => ({ key, lot: Math.random() }))
      .sort((a, b) => a.lot - b.lot)
      .slice(0, RELAYS_TRIED)
      .map(({ key }) => key);
  }

  async #connectDirectly(peer: PeerKey, signal: AbortSignal): Promise<void> {
    const addresses = await this.#addressesOf(peer);
    const link = await raceDials(addresses, signal, (address, limit, options) => this.#ports.host.dial(address, peer, limit, options));
    await this.#ports.greet(link);
    if (link.remote !== undefined) this.#ports.book.succeeded(peer, link.remote);
  }

  async #addressesOf(peer: PeerKey): Promise<Address[]> {
    const known = this.#ports.book.of(peer);
    // Nobody answers where the member was: it may have moved.
    if (known.length === 0 || (this.#attempts.get(peer)?.failures ?? 0) >= UNREACHABLE_AFTER) this.#find(peer);
    const resolved = await Promise.all(known.map((address) => resolveAddress(address).catch(() => [])));
    return resolved.flat();
  }

  /** Asks the routing table, beside whatever else is tried. */
  #find(peer: PeerKey): void {
    const now = this.#ports.now();
    if (now - (this.#findTries.get(peer) ?? Number.NEGATIVE_INFINITY) < FIND_RETRY_MS) return;
    this.#findTries.set(peer, now);
    const limit = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(FIND_RETRY_MS)]);
    this.#ports.host
      .findPeer(peer, limit)
      .then((found) => {
        if (found.length > 0 && this.#ports.book.hinted(peer, found)) this.hurry(peer);
      })
      .catch(() => {});
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new DtkdError('PEER_AWAY', 'the member could not be reached in time'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
