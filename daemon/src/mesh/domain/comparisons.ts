/**
 * Notices within seconds that a neighbour lacks what this node has, whatever gossip lost. Compares digests with each neighbour in turn
 * until both have once had what this node has now, and repairs differences that remain after data in flight has had time to arrive. Facts
 * and logs have separate conversations, so that membership does not wait for logs. Guarantees that a neighbour which always sends another
 * digest causes only one sync of each per interval, that a failed sync (a busy machine) is soon retried, and that a stalled one delays
 * nobody else. Does not know what the digests cover.
 */
import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import { COMPARE_PROTOCOL, type Digests, decodeDigests, encodeDigests, MAX_COMPARE_FRAME_BYTES } from '../../../../protocol/log/compare.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { FrameChannel } from '../host/frame-channel.ts';
import type { Link } from '../host/host.types.ts';
import { patiently } from '../host/patience.ts';
import { Round } from './round.ts';

/** Mean interval between comparisons of this node. Each costs a stream and two hashes. Small domains go round in seconds. */
export const COMPARE_INTERVAL_MS = 3_000;
/** Time for data in flight to arrive: gossip takes milliseconds, on a busy machine some hundred. */
export const SETTLE_MS = 2_000;
/** Wait after a sync with a neighbour before the next: in a busy domain digests always differ, and a liar makes them differ. */
export const SYNC_AGAIN_MS = 15_000;
/** The same if both digests are unchanged since: that sync did not help, so another one is unlikely to. */
export const SAME_AGAIN_MS = 120_000;
/** Wait after a failed sync, which repaired nothing. */
export const FAILED_AGAIN_MS = 4_000;
const COMPARE_TIMEOUT_MS = 5_000;

/** What can differ. Facts first, since entries of an unknown author are of no use. */
const PARTS = ['facts', 'logs'] as const;
export type Part = (typeof PARTS)[number];

export interface ComparisonsPorts {
  /** Neighbours that can be compared with. */
  neighbours(): readonly PeerKey[];
  /** What this node has now. */
  own(): Promise<Digests>;
  /** What the neighbour and this node have now. */
  exchange(peer: PeerKey): Promise<{ ours: Digests; theirs: Digests }>;
  /** Makes both sides equal in one part. Rejects if that failed. */
  sync: Record<Part, (peer: PeerKey) => Promise<void>>;
  logger: Logger;
}

/** A sync that was made because of a difference. */
export interface Synced {
  at: number;
  /** Both digests before it. */
  difference: string;
  failed: boolean;
}

/** A text that identifies the difference in one part; undefined if there is none. */
export function differenceOf(part: Part, ours: Digests, theirs: Digests): string | undefined {
  return ours[part] === theirs[part] ? undefined : `${ours[part]} ${theirs[part]}`;
}

/** Whether this difference is worth a sync now. */
export function isWorthSync(last: Synced | undefined, difference: string, now: number): boolean {
  return last === undefined || now - last.at >= waitAfter(last, difference);
}

function waitAfter(last: Synced, difference: string): number {
  if (last.failed) return FAILED_AGAIN_MS;
  return difference === last.difference ? SAME_AGAIN_MS : SYNC_AGAIN_MS;
}

export class Comparisons {
  readonly counters = { comparisons: 0, comparisonsFailed: 0, differences: 0, repairsFailed: 0 };
  readonly #ports: ComparisonsPorts;
  readonly #round = new Round<PeerKey>();
  readonly #running = new Set<PeerKey>();
  /**
   * What this node had when a neighbour last agreed. While it still has that, only a change at the neighbour can make a difference, and
   * then the neighbour compares.
   */
  readonly #agreed = new Map<PeerKey, string>();
  readonly #synced: Record<Part, Map<PeerKey, Synced>> = { facts: new Map(), logs: new Map() };
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(ports: ComparisonsPorts) {
    this.#ports = ports;
  }

  start(): void {
    // Half to one and a half times the interval, so that the members do not fall into step.
    this.#later(COMPARE_INTERVAL_MS * (0.5 + Math.random()), () => {
      this.start();
      this.#compareNext().catch((err: unknown) => this.#ports.logger.debug({ err }, 'The state could not be compared with neighbours'));
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  async #compareNext(): Promise<void> {
    const neighbours = this.#ports.neighbours();
    const own = nameOf(await this.#ports.own());
    for (const peer of this.#agreed.keys()) if (!neighbours.includes(peer)) this.#agreed.delete(peer);
    const peer = this.#round.next(neighbours, (each) => this.#agreed.get(each) !== own);
    if (peer !== undefined && !this.#running.has(peer)) await this.#compare(peer);
  }

  async #compare(peer: PeerKey): Promise<void> {
    this.#running.add(peer);
    try {
      if (!isDifferent(await this.#look(peer))) return;
      await new Promise<void>((resolve) => this.#later(SETTLE_MS, resolve));
      const { ours, theirs } = await this.#look(peer);
      for (const part of PARTS) {
        const difference = differenceOf(part, ours, theirs);
        if (difference !== undefined) await this.#sync(part, peer, difference);
      }
    } catch (err) {
      this.counters.comparisonsFailed += 1;
      this.#ports.logger.debug({ err, peer: peerIdOf(peer) }, 'The state could not be compared with a neighbour');
    } finally {
      this.#running.delete(peer);
    }
  }

  async #sync(part: Part, peer: PeerKey, difference: string): Promise<void> {
    const synced = this.#synced[part];
    const now = performance.now();
    for (const [key, { at }] of synced) if (now - at >= SAME_AGAIN_MS) synced.delete(key);
    if (!isWorthSync(synced.get(peer), difference, now)) return;
    const entry = { at: now, difference, failed: false };
    synced.set(peer, entry);
    this.counters.differences += 1;
    try {
      await this.#ports.sync[part](peer);
    } catch (err) {
      entry.failed = true;
      this.counters.repairsFailed += 1;
      this.#ports.logger.debug({ err, peer: peerIdOf(peer), part }, 'A neighbour with other state could not be synchronised');
    }
  }

  async #look(peer: PeerKey): Promise<{ ours: Digests; theirs: Digests }> {
    this.counters.comparisons += 1;
    const found = await this.#ports.exchange(peer);
    if (isDifferent(found)) this.#agreed.delete(peer);
    else this.#agreed.set(peer, nameOf(found.ours));
    return found;
  }

  #later(ms: number, run: () => void): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}

function nameOf(digests: Digests): string {
  return PARTS.map((part) => digests[part]).join(' ');
}

function isDifferent({ ours, theirs }: { ours: Digests; theirs: Digests }): boolean {
  return PARTS.some((part) => differenceOf(part, ours, theirs) !== undefined);
}

/** Asks the other side of a link for its digests. */
export async function askDigests(link: Link, own: () => Promise<Digests>): Promise<{ ours: Digests; theirs: Digests }> {
  const channel = open(await link.open(COMPARE_PROTOCOL, AbortSignal.timeout(patiently(COMPARE_TIMEOUT_MS))));
  try {
    const ours = await own();
    await channel.sendBytes(encodeDigests(ours));
    const theirs = await receive(channel);
    channel.finish();
    return { ours, theirs };
  } catch (error) {
    channel.fail(error);
    throw error;
  }
}

/** Serves COMPARE_PROTOCOL. */
export async function answerDigests(stream: Duplex, own: () => Promise<Digests>): Promise<void> {
  const channel = open(stream);
  try {
    await receive(channel);
    await channel.sendBytes(encodeDigests(await own()));
    channel.finish();
  } catch (error) {
    // Only the asker is harmed.
    channel.fail(error);
  }
}

function open(stream: Duplex): FrameChannel {
  return new FrameChannel(stream, {
    maxFrameBytes: MAX_COMPARE_FRAME_BYTES,
    timeoutMs: COMPARE_TIMEOUT_MS,
    totalMs: COMPARE_TIMEOUT_MS,
  });
}

async function receive(channel: FrameChannel): Promise<Digests> {
  const frame = await channel.read();
  if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the peer ended the comparison');
  return decodeDigests(frame);
}
