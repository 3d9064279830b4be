/**
 * Keeps this node connected with the members that it should be connected with: dials, waits longer after each failure, and keeps trying.
 * Connects with any other member when something is asked of it. Owns when and whom to dial, and which members are known to be away. `Ways`
 * owns how to reach one, and the domain what a connection is used for.
 */
import { randomBytes } from 'node:crypto';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { within } from '../../signals/within.ts';
import type { Host, Link } from '../host/host.types.ts';
import type { Reach } from '../mesh.types.ts';
import type { AddressBook } from './address-book.ts';
import { backoff, probeWait, WAN_MAX_WAIT_MS } from './backoff.ts';
import { chooseNeighbours, FULL_MESH_BELOW, reachOf } from './connection-choice.ts';
import type { PeerTable } from './peer-table.ts';
import { Requests } from './requests.ts';
import { Ways } from './ways.ts';

/** Concurrent dials. A restarted node of a full mesh has up to 30 to make. */
const MAX_DIALS = 8;
/** How many of them may go to absent members that nobody waits for. */
const MAX_PROBES = 4;
/** Concurrent dials including those that requests wait for; further requests queue. */
const MAX_REQUESTED_DIALS = 32;
/** How long a request waits for a connection; a dial that takes longer continues without it. */
const REQUEST_WAIT_MS = 8_000;
/** Requests to a member that could not be reached within this time fail at once, so that a thousand requests cause one dial. */
const AWAY_REMEMBERED_MS = 2_000;
/** Failures after which a member counts as unreachable when neighbours are chosen. */
const UNREACHABLE_AFTER = 3;
/** Spread of first dials, so that two nodes that learn of each other at the same time do not both dial. */
const FIRST_DIAL_SPREAD_MS = 150;
/** The direct way is retried rarely while a relayed connection works. */
const DIRECT_RETRY_MS = WAN_MAX_WAIT_MS;
/** After an absent member returns, the others are tried within this time: perhaps the network is back. */
const OTHERS_TRIED_WITHIN_MS = 5_000;

export interface ConnectorPorts {
  host: Host;
  book: AddressBook;
  peers: PeerTable;
  logger: Logger;
  /** Milliseconds since the epoch, to show to people. */
  now(): number;
  /** Milliseconds on a monotonic clock, for all waiting: a clock that is set back would delay every dial by as much. */
  ticks(): number;
  members(): ReadonlyMap<PeerKey, unknown>;
  /** Runs hello on a new outbound link; rejects if it was not admitted. */
  greet(link: Link): Promise<void>;
  /** Called when a member was found to be away. */
  onAway(): void;
}

interface Attempt {
  failures: number;
  /** When this attempt began, in ticks. */
  since: number;
  due: number;
  /** When the member was last tried, in ticks. */
  tried: number;
  /** The try under way; never rejects. */
  running: Promise<void> | undefined;
  /** Since when the member is known to be unreachable, in milliseconds since the epoch. Stays until it is connected again. */
  awaySince: number | undefined;
  /** Why the last try failed, or had to use another member as a relay; to show to people. */
  failure?: DtkdError | undefined;
}

export class Connector {
  readonly requests = new Requests();
  readonly #ports: ConnectorPorts;
  readonly #ways: Ways;
  readonly #attempts = new Map<PeerKey, Attempt>();
  readonly #seed = randomBytes(16).toString('hex');
  readonly #stop = new AbortController();
  readonly #line: (() => void)[] = [];
  #neighbours: ReadonlySet<PeerKey> | undefined;
  #running = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: ConnectorPorts) {
    this.#ports = ports;
    const isMissed = (peer: PeerKey): boolean => (this.#attempts.get(peer)?.failures ?? 0) >= UNREACHABLE_AFTER;
    const isRequested = (peer: PeerKey): boolean => this.requests.has(peer);
    this.#ways = new Ways({ ...ports, isMissed, isRequested, onFound: (peer) => this.hurry(peer) }, this.#stop.signal);
  }

  /** Checks at once whom to dial: members changed, a link closed, or an address was learnt. */
  wake(): void {
    if (this.#stop.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), 0);
  }

  /** Resets the back-off of a member: it was connected until now, or an address of it was learnt. */
  hurry(peer: PeerKey): void {
    const attempt = this.#attempts.get(peer);
    if (attempt !== undefined) {
      attempt.failures = 0;
      attempt.due = this.#ports.ticks();
    }
    this.wake();
  }

  /** Reports an admitted member: it may relay to others, and if it came through a relay it has now told its own addresses. */
  connected(link: Link): void {
    this.#ways.askRelaysAgain();
    const attempt = this.#attempts.get(link.peer);
    if (attempt?.awaySince !== undefined) {
      attempt.awaySince = undefined;
      this.#tryOthers();
    }
    if (link.via === undefined) this.wake();
    else this.hurry(link.peer);
  }

  /** The reach of a member, given whether it is connected, and since when it is known to be away. */
  reach(peer: PeerKey, connected: boolean): { reach: Reach; awaySince: number | undefined } {
    const awaySince = this.#attempts.get(peer)?.awaySince;
    const reach = reachOf({ connected, unreachable: awaySince !== undefined, members: this.#ports.members().size });
    return { reach, awaySince: reach === 'away' ? awaySince : undefined };
  }

  /** Why the last try to reach a member failed. */
  failure(peer: PeerKey): DtkdError | undefined {
    return this.#attempts.get(peer)?.failure;
  }

  /** True if a wanted member has been unreachable for this long, over several failed tries. */
  misses(forMs: number): boolean {
    const before = this.#ports.ticks() - forMs;
    return [...this.#attempts].some(
      ([peer, { since, failures }]) =>
        since <= before && failures >= UNREACHABLE_AFTER && this.#isWanted(peer) && this.#ports.peers.best(peer) === undefined,
    );
  }

  /** True if this node chose the member as a neighbour, or has not chosen yet. */
  isNeighbour(peer: PeerKey): boolean {
    return this.#neighbours?.has(peer) !== false;
  }

  /**
   * A connected link to the member, made if needed. Errors: PEER_AWAY or VERSION_TOO_OLD; at once if it could not be reached a moment ago.
   */
  async ensure(peer: PeerKey, signal: AbortSignal): Promise<Link> {
    this.requests.note(peer, this.#ports.ticks());
    const existing = this.#ports.peers.best(peer);
    if (existing !== undefined) return existing;
    const limit = within(REQUEST_WAIT_MS, signal);
    while (this.#running >= MAX_REQUESTED_DIALS && this.#attempts.get(peer)?.running === undefined) {
      await unlessAborted(new Promise<void>((resolve) => this.#line.push(resolve)), limit);
    }
    const attempt = this.#attemptAt(peer, this.#ports.ticks());
    if (attempt.running === undefined && this.#failedLately(attempt)) throw away(attempt.failure);
    try {
      await unlessAborted(attempt.running ?? this.#run(peer, attempt), limit);
    } catch (error) {
      if (!signal.aborted) this.#missed(peer, attempt);
      throw error;
    }
    const link = this.#ports.peers.best(peer);
    if (link === undefined) throw away(attempt.failure);
    return link;
  }

  /** Reports that somebody asks for an absent member: it is tried soon, and more often for a while. Cheap. */
  want(peer: PeerKey): void {
    const { members, ticks } = this.#ports;
    if (members().size < FULL_MESH_BELOW || !members().has(peer)) return;
    this.requests.note(peer, ticks());
    const attempt = this.#attempts.get(peer);
    if (attempt === undefined || attempt.running !== undefined || attempt.due <= attempt.tried + AWAY_REMEMBERED_MS) return;
    attempt.due = attempt.tried + AWAY_REMEMBERED_MS;
    this.wake();
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
    for (const go of this.#line.splice(0)) go();
  }

  #isWanted(peer: PeerKey): boolean {
    return this.isNeighbour(peer) || this.requests.has(peer);
  }

  #wanted(): Set<PeerKey> {
    const members = this.#ports.members();
    const unreachable = new Set([...this.#attempts].filter(([, { failures }]) => failures >= UNREACHABLE_AFTER).map(([key]) => key));
    const neighbours = chooseNeighbours({ self: this.#ports.host.key, members: members.keys(), unreachable, seed: this.#seed });
    this.#neighbours = neighbours;
    return new Set([...neighbours, ...this.requests.current(this.#ports.ticks(), (peer) => members.has(peer))]);
  }

  #attemptAt(peer: PeerKey, due: number): Attempt {
    const now = this.#ports.ticks();
    const known = this.#attempts.get(peer);
    const attempt = known ?? { failures: 0, since: now, due, tried: 0, running: undefined, awaySince: undefined };
    this.#attempts.set(peer, attempt);
    return attempt;
  }

  #tick(): void {
    if (this.#stop.signal.aborted) return;
    const now = this.#ports.ticks();
    const wanted = this.#wanted();
    for (const peer of wanted) this.#attemptAt(peer, now + Math.random() * FIRST_DIAL_SPREAD_MS);
    let next = Number.POSITIVE_INFINITY;
    // Wanted members first; the others may use what is left of the dials. Among each, those with a known address first: circuits to the
    // others could keep all dials waiting for a busy relay, and those members dial us or are announced soon anyway.
    const rank = (peer: PeerKey): number => (wanted.has(peer) ? 0 : 2) + (this.#ports.book.of(peer).length > 0 ? 0 : 1);
    const order = [...this.#attempts].sort(([a], [b]) => rank(a) - rank(b));
    for (const [peer, attempt] of order) {
      if (attempt.running !== undefined) continue;
      const isProbe = !wanted.has(peer);
      const isOver = this.#ports.peers.hasDirect(peer) || !this.#ports.members().has(peer);
      if (isOver || (isProbe && attempt.awaySince === undefined)) this.#attempts.delete(peer);
      else if (attempt.due > now) next = Math.min(next, attempt.due);
      // Without a free slot there is nothing to plan: every dial that ends wakes us.
      else if (this.#running < (isProbe ? MAX_PROBES : MAX_DIALS)) void this.#run(peer, attempt);
    }
    if (next === Number.POSITIVE_INFINITY) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), Math.max(next - now, 20));
  }

  #run(peer: PeerKey, attempt: Attempt): Promise<void> {
    attempt.running = this.#try(peer, attempt);
    return attempt.running;
  }

  async #try(peer: PeerKey, attempt: Attempt): Promise<void> {
    this.#running += 1;
    const due = attempt.due;
    let reachable = false;
    try {
      const failure = await this.#ways.connect(peer);
      attempt.failures = 0;
      attempt.failure = failure instanceof DtkdError ? failure : undefined;
    } catch (error) {
      attempt.failures += 1;
      attempt.failure = error instanceof DtkdError ? error : new DtkdError('PEER_AWAY', 'the connection could not be made');
      // The member is there but could not finish: retrying soon would make a busy machine busier.
      reachable = !(error instanceof DtkdError && error.code === 'ADDRESS_UNREACHABLE');
      this.#ports.logger.debug({ err: error, peer: peerIdOf(peer), failures: attempt.failures }, 'Could not connect');
      if (this.#isAway(peer, attempt.failures, reachable)) this.#missed(peer, attempt);
    } finally {
      attempt.running = undefined;
      attempt.tried = this.#ports.ticks();
      this.#running -= 1;
      for (const go of this.#line.splice(0)) go();
      // Unless it was hurried meanwhile.
      if (attempt.due === due) attempt.due = attempt.tried + this.#waitFor(peer, attempt, reachable);
      this.wake();
    }
  }

  #waitFor(peer: PeerKey, attempt: Attempt, reachable: boolean): number {
    if (this.#ports.peers.best(peer) !== undefined) return DIRECT_RETRY_MS;
    if (!this.#isWanted(peer)) return probeWait(Math.random());
    const { book, peers } = this.#ports;
    const lan = !reachable && book.isLan(peer);
    const alone = book.of(peer).length > 0 && peers.connected().length === 0;
    return backoff(attempt.failures, { lan, alone }, Math.random());
  }

  /** True if a request failed, or what is known of the member leads nowhere. A member of which nothing is known yet is not away. */
  #isAway(peer: PeerKey, failures: number, reachable: boolean): boolean {
    if (this.requests.has(peer)) return true;
    return this.#ports.book.of(peer).length > 0 && (!reachable || failures >= UNREACHABLE_AFTER);
  }

  #missed(peer: PeerKey, attempt: Attempt): void {
    if (this.#stop.signal.aborted || attempt.awaySince !== undefined || this.#ports.peers.best(peer) !== undefined) return;
    attempt.awaySince = this.#ports.now();
    this.#ports.onAway();
  }

  #failedLately(attempt: Attempt): boolean {
    return attempt.awaySince !== undefined && this.#ports.ticks() - attempt.tried < AWAY_REMEMBERED_MS;
  }

  #tryOthers(): void {
    const now = this.#ports.ticks();
    for (const [peer, attempt] of this.#attempts) {
      if (attempt.awaySince === undefined || this.#isWanted(peer)) continue;
      attempt.due = Math.min(attempt.due, Math.max(now, attempt.tried + OTHERS_TRIED_WITHIN_MS) + Math.random() * OTHERS_TRIED_WITHIN_MS);
    }
  }
}

function away(failure?: DtkdError): DtkdError {
  if (failure?.code === 'VERSION_TOO_OLD') return failure;
  return new DtkdError('PEER_AWAY', 'the member cannot be reached');
}

/** The outcome of the promise, or PEER_AWAY once the signal aborts. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const failure = (): DtkdError => new DtkdError('PEER_AWAY', 'the member could not be reached in time');
  if (signal.aborted) throw failure();
  let fail: (() => void) | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        fail = () => reject(failure());
        signal.addEventListener('abort', fail, { once: true });
      }),
    ]);
  } finally {
    if (fail !== undefined) signal.removeEventListener('abort', fail);
  }
}
