/**
 * Brings logs and facts of two members to the same state. Serves and asks `/dtkd/sync` and `/dtkd/facts`. Guarantees that at most one pull
 * from each member and a few overall run at a time, that each answer is bounded, and that a chunk with refused entries and nothing new
 * ends the conversation. Does not know gossip: it repairs what gossip missed.
 */
import type { Duplex } from 'node:stream';
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';
import { type PeerId, type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import {
  decodeFacts,
  decodeSync,
  encodeFacts,
  encodeSync,
  FACTS_PROTOCOL,
  MAX_SYNC_FRAME_BYTES,
  SYNC_CHUNK_BYTES,
  SYNC_PROTOCOL,
  type SyncHeads,
} from '../../../../protocol/log/sync.ts';
import { itemBatches } from '../../../../protocol/membership/join.ts';
import { MAX_HEARD_REMOVALS, MAX_HELLO_FRAME_BYTES } from '../../../../protocol/peers/hello.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { Seldom } from '../../logging/seldom.ts';
import { FrameChannel } from '../host/frame-channel.ts';
import type { Link } from '../host/host.types.ts';
import { patiently } from '../host/patience.ts';
import type { DomainLog, Head } from '../log/log.types.ts';
import type { Membership, SignedItem } from '../membership/membership.types.ts';
import { exchangeFacts } from './facts-exchange.ts';
import { ToldHeads } from './told-heads.ts';

/** For each frame: reading entries from disk, and a slow line. */
const SYNC_TIMEOUT_MS = 15_000;
const FACTS_TIMEOUT_MS = 5_000;
/** Bytes of entries in the first answer: a line of 64 kbit/s takes eight seconds. */
const FIRST_CHUNK_BYTES = 64 * 1024;
/** If the next request comes sooner than QUICK_MS, the next answer is twice as large; if later than SLOW_MS, half. */
const QUICK_MS = 1_000;
const SLOW_MS = 5_000;
/** For a whole exchange of facts: 16 MiB on a slow line. */
const FACTS_TOTAL_MS = 60_000;
/** One turn of a pull. The rest comes in another turn, behind pulls that wait, so that a slow peer delays nobody for long. */
const PULL_TURN_MS = 30_000;
/** Longer than any turn, after which the serving side ends the conversation too. */
const SYNC_TOTAL_MS = 2 * PULL_TURN_MS;
/** Concurrent pulls over all members: each holds one chunk. */
const MAX_PULLS = 4;

export interface SyncPorts {
  membership: Membership;
  log: DomainLog;
  logger: Logger;
  link(peer: PeerKey): Link | undefined;
  /** The peer told which removals it has heard of. */
  heard(peer: PeerKey, removals: readonly PeerId[]): void;
  /** All that a member has was taken in. */
  pulled(from: PeerKey): void;
  /** A pull brought entries: neighbours other than `from` may lack them too. */
  gained(from: PeerKey): void;
}

interface Pull {
  again: boolean;
  /** The connection to use for the next turn. Undefined: the member's best. */
  link: Link | undefined;
  done: Promise<boolean>;
}

export class SyncService {
  readonly #ports: SyncPorts;
  readonly #pulls = new Map<PeerKey, Pull>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #stopped = false;
  readonly counters = { pulls: 0, pullsFailed: 0, entriesPulled: 0, entriesRefused: 0, framesRefused: 0 };
  readonly #told = new ToldHeads();
  readonly #seldom = new Seldom();

  constructor(ports: SyncPorts) {
    this.#ports = ports;
  }

  /**
   * Asks a member for what we lack. A call during a pull makes another one follow. `link` is the connection on which the member said that
   * it has something: behind another connection with the same key there may be a copy of the node that lacks it. Resolves with false if
   * the last pull failed; never rejects.
   */
  pull(peer: PeerKey, link?: Link): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false);
    const current = this.#pulls.get(peer);
    if (current !== undefined) {
      current.again = true;
      current.link = link ?? current.link;
      return current.done;
    }
    const entry: Pull = { again: true, link, done: Promise.resolve(false) };
    this.#pulls.set(peer, entry);
    entry.done = this.#pullUntilQuiet(peer, entry);
    return entry.done;
  }

  /** How far the logs are here, and what is missing according to other members. */
  async standing(): Promise<{ heads: readonly Head[]; behind: ReadonlyMap<PeerKey, number> }> {
    const { membership, log } = this.#ports;
    const heads = await log.heads();
    const { members } = membership.state();
    return { heads, behind: this.#told.behind(heads, (key) => members.has(key)) };
  }

  stop(): void {
    this.#stopped = true;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #pullUntilQuiet(peer: PeerKey, entry: Pull): Promise<boolean> {
    let succeeded = false;
    while (entry.again && !this.#stopped) {
      // Queue again for each turn: a peer that always has more must not keep the others out.
      await this.#enter();
      try {
        const { link } = entry;
        entry.again = false;
        entry.link = undefined;
        if (await this.#pullOnce(peer, link)) {
          entry.again = true;
          entry.link ??= link;
        }
        succeeded = true;
      } catch (error) {
        succeeded = false;
        this.counters.pullsFailed += 1;
        this.#blame(error, peer, 'Synchronising failed');
      } finally {
        this.#leave();
      }
    }
    // No await since the last check of `again`: a request that still found this entry would be forgotten with it.
    this.#pulls.delete(peer);
    return succeeded;
  }

  /** Returns true if the turn ended before everything had come. */
  async #pullOnce(peer: PeerKey, asked: Link | undefined): Promise<boolean> {
    const link = asked?.closed === false ? asked : this.#ports.link(peer);
    if (link === undefined) return false;
    const turnEnds = performance.now() + PULL_TURN_MS;
    this.counters.pulls += 1;
    const stream = await link.open(SYNC_PROTOCOL, AbortSignal.timeout(patiently(SYNC_TIMEOUT_MS)));
    const channel = new FrameChannel(stream, { maxFrameBytes: MAX_SYNC_FRAME_BYTES, timeoutMs: SYNC_TIMEOUT_MS, totalMs: SYNC_TOTAL_MS });
    let gained = 0;
    try {
      await channel.sendBytes(encodeSync(await this.#ownHeads()));
      const theirs = await receiveSync(channel);
      if (theirs?.type !== 'heads') throw new DtkdError('FRAME_INVALID', 'heads were expected');
      this.#ports.heard(peer, theirs.removed);
      await this.#tell(peer, theirs.heads);
      if (theirs.digest !== this.#ports.membership.digest()) await this.pushFacts(peer, []);
      let unfinished = false;
      while (await this.#ports.log.isBehind(theirs.heads)) {
        if (performance.now() > turnEnds) {
          unfinished = true;
          break;
        }
        await channel.sendBytes(encodeSync({ type: 'pull', heads: await this.#ports.log.asks() }));
        const answer = await receiveSync(channel);
        if (answer?.type !== 'entries') throw new DtkdError('FRAME_INVALID', 'entries were expected');
        const applied = await this.#take(answer.entries);
        gained += applied;
        // Nothing new in a chunk: the rest cannot be applied here (an unknown author, or one that forked).
        if (applied === 0) break;
      }
      if (!unfinished) this.#told.given(peer);
      channel.finish();
      if (!unfinished) this.#ports.pulled(peer);
      return unfinished;
    } catch (error) {
      channel.fail(error);
      throw error;
    } finally {
      if (gained > 0) this.#ports.gained(peer);
    }
  }

  async #take(entries: readonly Uint8Array[]): Promise<number> {
    let applied = 0;
    let refused: DtkdError | undefined;
    for (const entry of entries) {
      try {
        if ((await this.#ports.log.receive(entry)) === 'applied') applied += 1;
      } catch (error) {
        // One author's bad entry must not hold back the good ones of others.
        if (!(error instanceof DtkdError) || !REFUSED_ENTRY.has(error.code)) throw error;
        refused ??= error;
      }
    }
    this.counters.entriesPulled += applied;
    if (applied === 0 && refused !== undefined) throw refused;
    return applied;
  }

  /** Serves SYNC_PROTOCOL. */
  async serveSync(stream: Duplex, link: Link): Promise<void> {
    const channel = new FrameChannel(stream, { maxFrameBytes: MAX_SYNC_FRAME_BYTES, timeoutMs: SYNC_TIMEOUT_MS, totalMs: SYNC_TOTAL_MS });
    try {
      const theirs = await receiveSync(channel);
      if (theirs?.type !== 'heads') throw new DtkdError('FRAME_INVALID', 'heads were expected');
      this.#ports.heard(link.peer, theirs.removed);
      await channel.sendBytes(encodeSync(await this.#ownHeads()));
      if (await this.#ports.log.isBehind(theirs.heads)) {
        await this.#tell(link.peer, theirs.heads);
        void this.pull(link.peer, link);
      }
      let chunk = FIRST_CHUNK_BYTES;
      for (let sentAt: number | undefined; ; ) {
        const message = await receiveSync(channel);
        if (message === undefined) break;
        if (message.type !== 'pull') throw new DtkdError('FRAME_INVALID', 'a pull was expected');
        if (sentAt !== undefined) chunk = nextChunk(chunk, performance.now() - sentAt);
        sentAt = performance.now();
        const entries = await this.#ports.log.missing(message.heads, chunk);
        await channel.sendBytes(encodeSync({ type: 'entries', entries }));
      }
      channel.finish();
    } catch (error) {
      channel.fail(error);
      this.#blame(error, link.peer, 'Serving a synchronisation failed');
    }
  }

  /** Sends new items to a member. If the sets still differ afterwards, makes them equal. */
  async pushFacts(peer: PeerKey, items: readonly SignedItem[]): Promise<void> {
    const link = this.#ports.link(peer);
    if (link === undefined) return;
    const { membership } = this.#ports;
    const stream = await link.open(FACTS_PROTOCOL, AbortSignal.timeout(patiently(FACTS_TIMEOUT_MS)));
    const channel = new FrameChannel(stream, {
      maxFrameBytes: MAX_HELLO_FRAME_BYTES,
      timeoutMs: FACTS_TIMEOUT_MS,
      totalMs: FACTS_TOTAL_MS,
    });
    try {
      const digest = membership.digest();
      const batches = itemBatches(items);
      for (const [index, batch] of batches.entries()) {
        await channel.sendBytes(encodeFacts({ type: 'push', digest, items: batch, more: index < batches.length - 1 }));
      }
      const answer = await receiveFacts(channel);
      if (answer.type !== 'heard') throw new DtkdError('FRAME_INVALID', 'an acknowledgement was expected');
      this.#ports.heard(peer, answer.removed);
      if (answer.digest !== digest) await exchangeFacts(channel, membership, true);
      channel.finish();
    } catch (error) {
      channel.fail(error);
      throw error;
    }
  }

  /** Serves FACTS_PROTOCOL. */
  async serveFacts(stream: Duplex, link: Link): Promise<void> {
    const { membership } = this.#ports;
    const channel = new FrameChannel(stream, {
      maxFrameBytes: MAX_HELLO_FRAME_BYTES,
      timeoutMs: FACTS_TIMEOUT_MS,
      totalMs: FACTS_TOTAL_MS,
    });
    try {
      let theirs: string | undefined;
      for (let more = true; more; ) {
        const message = await receiveFacts(channel);
        if (message.type !== 'push') throw new DtkdError('FRAME_INVALID', 'facts were expected');
        if (message.items.length > 0) await membership.add(message.items);
        theirs = message.digest;
        more = message.more;
      }
      const digest = membership.digest();
      await channel.sendBytes(encodeFacts({ type: 'heard', digest, removed: removedIds(membership) }));
      if (theirs === digest) this.#ports.heard(link.peer, removedIds(membership));
      else await exchangeFacts(channel, membership, false);
      channel.finish();
    } catch (error) {
      channel.fail(error);
      this.#blame(error, link.peer, 'Exchanging facts failed');
    }
  }

  async #tell(peer: PeerKey, theirs: readonly Head[]): Promise<void> {
    const { membership, log } = this.#ports;
    const { members, suspended } = membership.state();
    this.#told.tell(peer, theirs, await log.heads(), (author) => members.has(author) && !suspended.has(author));
  }

  async #ownHeads(): Promise<SyncHeads> {
    const { membership, log } = this.#ports;
    return { type: 'heads', digest: membership.digest(), removed: removedIds(membership), heads: await log.heads() };
  }

  #blame(error: unknown, peer: PeerKey, what: string): void {
    const code = error instanceof DtkdError ? error.code : undefined;
    if (code !== undefined && REFUSED_ENTRY.has(code)) this.counters.entriesRefused += 1;
    if (code === 'FRAME_INVALID' || code === 'FRAME_TOO_LARGE') this.counters.framesRefused += 1;
    const { logger } = this.#ports;
    const fields = { err: error, peer: peerIdOf(peer) };
    if (code === 'PEER_AWAY' || code === undefined) logger.debug(fields, what);
    else this.#seldom.say(`${what} ${peer} ${code}`, (unsaid) => logger.warn({ ...fields, ...unsaid }, what));
  }

  async #enter(): Promise<void> {
    if (this.#running < MAX_PULLS) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the slot to the next one that waits, so that nobody slips in between. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

/** Size of the next chunk, given how long the request for it took to come after the last one. Pure. */
export function nextChunk(bytes: number, tookMs: number): number {
  if (tookMs < QUICK_MS) return Math.min(bytes * 2, SYNC_CHUNK_BYTES);
  return tookMs > SLOW_MS ? Math.max(bytes / 2, FIRST_CHUNK_BYTES) : bytes;
}

/** Codes with which the log refuses an entry for good. */
const REFUSED_ENTRY: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ENTRY_INVALID', 'SIGNATURE_INVALID', 'QUOTA_EXCEEDED']);

/** Ids of removed keys, sorted, so that equal sets are equal lists; at most as many as a frame may name. */
export function removedIds(membership: Pick<Membership, 'state'>): PeerId[] {
  return [...membership.state().removed.keys()].map(peerIdOf).sort().slice(0, MAX_HEARD_REMOVALS);
}

async function receiveSync(channel: FrameChannel): Promise<ReturnType<typeof decodeSync> | undefined> {
  const frame = await channel.read();
  return frame === undefined ? undefined : decodeSync(frame);
}

async function receiveFacts(channel: FrameChannel): Promise<ReturnType<typeof decodeFacts>> {
  const frame = await channel.read();
  if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the peer ended the exchange of facts');
  return decodeFacts(frame);
}
