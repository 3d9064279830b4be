/**
 * Keeps this node connected with the members that it should be connected with: dials, waits longer after each failure, goes through
 * another member where the direct way fails, and keeps trying the direct way. Owns when and whom to dial; what a connection then says is
 * the domain's affair.
 */
import { randomBytes } from 'node:crypto';
import { type Address, isLanAddress } from '../../../../protocol/address.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import type { Logger } from '../../logger.ts';
import type { Host, Link } from '../host/host.types.ts';
import type { AddressBook } from './address-book.ts';
import { backoff, WAN_MAX_WAIT_MS } from './backoff.ts';
import { chooseNeighbours } from './connection-choice.ts';
import type { PeerTable } from './peer-table.ts';
import { resolveAddress } from './resolve.ts';

/** Dials at a time. A restarted node of a full domain has 31 to make. */
const MAX_DIALS = 8;
/** A local network answers in milliseconds; a lost SYN costs a second. */
const LAN_DIAL_TIMEOUT_MS = 1_500;
const WAN_DIAL_TIMEOUT_MS = 5_000;
/** The next address is tried while the one before has not answered (RFC 8305 calls this the connection attempt delay). */
const NEXT_ADDRESS_AFTER_MS = 250;
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

  /** True if a member that should be a neighbour has been out of reach for so long. */
  misses(forMs: number): boolean {
    const before = this.#ports.now() - forMs;
    return [...this.#attempts].some(([peer, { since }]) => since <= before && this.#ports.peers.best(peer) === undefined);
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
    try {
      await this.#connect(peer);
      attempt.failures = 0;
    } catch (error) {
      attempt.failures += 1;
      this.#ports.logger.debug({ err: error, peer: peerIdOf(peer), failures: attempt.failures }, 'Could not connect');
    } finally {
      attempt.running = false;
      this.#running -= 1;
      const relayed = this.#ports.peers.best(peer) !== undefined;
      const lan = this.#ports.book.isLan(peer);
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
        const limit = AbortSignal.any([signal, AbortSignal.timeout(WAN_DIAL_TIMEOUT_MS)]);
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
    const addresses = await this.#addressesOf(peer, signal);
    const link = await raceDials(addresses, signal, (address, limit) => this.#ports.host.dial(address, peer, limit));
    await this.#ports.greet(link);
    if (link.remote !== undefined) this.#ports.book.succeeded(peer, link.remote);
  }

  async #addressesOf(peer: PeerKey, signal: AbortSignal): Promise<Address[]> {
    let known = [...this.#ports.book.of(peer)];
    const failures = this.#attempts.get(peer)?.failures ?? 0;
    if (known.length === 0 || failures >= UNREACHABLE_AFTER) {
      // Nobody answers where the member was: it may have moved.
      const found = await this.#ports.host.findPeer(peer, AbortSignal.any([signal, AbortSignal.timeout(WAN_DIAL_TIMEOUT_MS)]));
      if (found.length > 0) {
        this.#ports.book.hinted(peer, found);
        known = [...this.#ports.book.of(peer)];
      }
    }
    const resolved = await Promise.all(known.map((address) => resolveAddress(address).catch(() => [])));
    return resolved.flat();
  }
}

/** Dials several addresses, each a little after the one before, and keeps the first that answers; the others are given up. */
async function raceDials(
  addresses: readonly Address[],
  signal: AbortSignal,
  dial: (address: Address, signal: AbortSignal) => Promise<Link>,
): Promise<Link> {
  if (addresses.length === 0) throw new DtkdError('PEER_AWAY', 'no address of the member is known');
  const settled = new AbortController();
  let winner: Link | undefined;
  const attempts = addresses.map(async (address, index) => {
    if (index > 0) await pause(index * NEXT_ADDRESS_AFTER_MS, AbortSignal.any([signal, settled.signal]));
    settled.signal.throwIfAborted();
    const timeoutMs = isLanAddress(address.host) ? LAN_DIAL_TIMEOUT_MS : WAN_DIAL_TIMEOUT_MS;
    const link = await dial(address, AbortSignal.any([signal, settled.signal, AbortSignal.timeout(timeoutMs)]));
    if (winner === undefined) winner = link;
    else link.abort('another address answered first');
    return link;
  });
  try {
    return await Promise.any(attempts);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    settled.abort();
    await Promise.allSettled(attempts);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new DtkdError('PEER_AWAY', 'the member could not be reached in time'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
