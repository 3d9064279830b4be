/**
 * Fetches one file from members: asks one after another, continues where the last one stopped, and starts over if the result does not
 * match the digest. Guarantees that a file reported as complete has the digest; keeps what it has when it gives up. Trusts no member: the
 * hash decides.
 */
import type { Duplex } from 'node:stream';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { CONTENT_PROTOCOL, contentHead } from '../../../../protocol/orders/messages.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { within } from '../../signals/within.ts';
import { FrameReader } from '../../streams/frame-reader.ts';
import type { Member, Members } from '../dispatch.types.ts';
import type { Growing } from './growing-bytes.ts';
import * as limits from './limits.ts';

export interface FetchJob {
  digest: string;
  /** Its size in bytes, if known. */
  size: number | undefined;
  /** Members to ask first; may grow meanwhile. */
  prefer: readonly { domain: string; key: string }[];
  /** Aborted when nobody waits for it any more. */
  signal: AbortSignal;
}

export interface FetchOptions {
  members: Pick<Members, 'list' | 'byKey' | 'open' | 'onChange'>;
  /** Reserves bytes of the share of the disk. Throws DISK_FULL. */
  reserve(bytes: number): Promise<void>;
  logger: Logger;
  patienceMs: number;
  /** The first pause between two rounds. Milliseconds. */
  restMs: number;
}

/**
 * whole: all bytes are there. missing: the member does not have the file, or not for us. cut: the member may give it later. wrong: it is
 * not what was asked for.
 */
type Answer = 'whole' | 'missing' | 'cut' | 'wrong';

/** Fills the file. Errors: CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT by the signal, DISK_FULL. */
export async function fetchInto(file: Growing, job: FetchJob, options: FetchOptions): Promise<void> {
  const fetching = new Fetching(file, job, options);
  await fetching.run();
}

class Fetching {
  readonly #file: Growing;
  readonly #job: FetchJob;
  readonly #options: FetchOptions;
  /** Members that sent wrong bytes or broke the protocol. They are not asked again. */
  readonly #banned = new Set<string>();
  /** Members whose bytes the file contains. Empty: its bytes are from an earlier fetch. */
  readonly #givers = new Set<string>();
  /** Take bytes from one giver at a time, since those of several together were wrong. */
  #alone = false;
  #progressAt = performance.now();
  #rest: number;

  constructor(file: Growing, job: FetchJob, options: FetchOptions) {
    this.#file = file;
    this.#job = job;
    this.#options = options;
    this.#rest = options.restMs;
  }

  async run(): Promise<void> {
    if (this.#file.size > 0 && (await this.#isRight())) return;
    for (;;) {
      const asked = this.#candidates();
      let hope = this.#isPreferredAway();
      for (const member of asked) {
        const answer = await this.#ask(member);
        if (answer === 'whole' && (await this.#isRight())) return;
        if (answer === 'wrong') this.#banned.add(keyText(member));
        if (answer === 'cut' || answer === 'whole') hope = true;
      }
      if (!hope) throw this.#missing();
      if (performance.now() - this.#progressAt > this.#options.patienceMs) throw this.#missing();
      await this.#pause();
    }
  }

  /**
   * True if the file is complete. If it has the full length and a wrong digest, it starts over: its only giver is banned, or of several
   * each is tried alone.
   */
  async #isRight(): Promise<boolean> {
    if (this.#job.size !== undefined && this.#file.size < this.#job.size) return false;
    if (this.#file.digest() === this.#job.digest) return true;
    if (this.#job.size === undefined && this.#givers.size === 0) return false;
    const [only] = this.#givers;
    if (this.#givers.size === 1 && only !== undefined) {
      this.#banned.add(only);
      this.#options.logger.warn({ digest: this.#job.digest, from: only }, 'A member sent altered content');
    } else this.#alone = true;
    await this.#forget();
    return false;
  }

  async #forget(): Promise<void> {
    this.#givers.clear();
    await this.#file.reset();
  }

  #candidates(): Member[] {
    const { members } = this.#options;
    const preferred = this.#job.prefer.flatMap(({ domain, key }) => members.byKey(domain, key) ?? []);
    const first = new Set(preferred.map(keyText));
    const others = members.list().filter((member) => member.reach !== 'away' && !first.has(keyText(member)));
    // Connected members first, and each group in random order.
    const connected = shuffled(others.filter(({ reach }) => reach === 'connected'));
    const idle = shuffled(others.filter(({ reach }) => reach === 'idle'));
    return [...preferred, ...connected, ...idle].filter((member) => !this.#banned.has(keyText(member))).slice(0, limits.MAX_ASKED);
  }

  #isPreferredAway(): boolean {
    return this.#job.prefer.some(({ domain, key }) => this.#options.members.byKey(domain, key)?.reach === 'away');
  }

  async #ask(member: Member): Promise<Answer> {
    const { signal } = this.#job;
    if (signal.aborted) throw timedOut();
    if (this.#alone && this.#file.size > 0 && !this.#givers.has(keyText(member))) await this.#forget();
    let stream: Duplex;
    try {
      stream = await this.#options.members.open(member, CONTENT_PROTOCOL, within(limits.OPEN_MS, signal));
    } catch {
      if (signal.aborted) throw timedOut();
      return 'cut';
    }
    const abort = () => stream.destroy(timedOut());
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await this.#receive(stream, member);
    } catch (error) {
      if (signal.aborted) throw timedOut();
      if (!(error instanceof DtkdError) || !isFromPeer(error)) throw error;
      this.#options.logger.debug({ err: error, from: member.node }, 'Content arrived incomplete');
      return error.code === 'PEER_AWAY' || error.code === 'TIMEOUT' ? 'cut' : 'wrong';
    } finally {
      signal.removeEventListener('abort', abort);
      stream.destroy();
    }
  }

  async #receive(stream: Duplex, member: Member): Promise<Answer> {
    const { digest, size: told } = this.#job;
    const file = this.#file;
    stream.end(encodeFrame(encodeCbor({ digest, offset: file.size })));
    const reader = new FrameReader(stream, limits.CHUNK_BYTES);
    const first = await reader.next(limits.HEAD_MS);
    if (first === undefined) return 'cut';
    const { size } = decodeCbor(first, contentHead, 'the head of content');
    if (size < 0) return 'missing';
    if (size !== (told ?? size) || size > (told ?? limits.MAX_UNTOLD_BYTES)) return 'wrong';
    if (size < file.size) {
      await this.#forget();
      return 'cut';
    }
    if (file.size < size) this.#givers.add(keyText(member));
    while (file.size < size) {
      const chunk = await reader.next(limits.STALL_MS);
      if (chunk === undefined) return 'cut';
      if (chunk.length > size - file.size) return 'wrong';
      await this.#options.reserve(chunk.length);
      await file.append(chunk);
      this.#progressAt = performance.now();
      this.#rest = this.#options.restMs;
    }
    return 'whole';
  }

  /** Waits, longer each time without progress. A change among the members ends the wait. */
  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#rest * (0.5 + Math.random() / 2));
    const { signal } = this.#job;
    signal.addEventListener('abort', () => resolve(), { once: true });
    const unsubscribe = this.#options.members.onChange(() => {
      if (this.#candidates().some((member) => member.reach !== 'away')) resolve();
    });
    await promise;
    clearTimeout(timer);
    unsubscribe();
    this.#rest = Math.min(this.#rest * 2, limits.MAX_REST_MS);
    if (signal.aborted) throw timedOut();
  }

  #missing(): DtkdError {
    const name = `content ${this.#job.digest.slice(0, 12)}…`;
    if (this.#banned.size > 0)
      return new DtkdError('CONTENT_ALTERED', `${name} is altered at ${this.#banned.size} of the members that have it`, {
        next: 'Install the module, or copy the file, again where it comes from.',
      });
    const who = this.#job.prefer.flatMap(({ domain, key }) => this.#options.members.byKey(domain, key)?.node ?? []);
    return new DtkdError('CONTENT_MISSING', `${name} is not available: no member that can be reached now has it`, {
      next: who.length === 0 ? 'Try again when a node that has it is connected.' : `Try again when ${who.join(' or ')} is connected.`,
    });
  }
}

/** True for errors of the other side. */
function isFromPeer({ code }: DtkdError): boolean {
  return code === 'PEER_AWAY' || code === 'TIMEOUT' || code === 'FRAME_INVALID' || code === 'FRAME_TOO_LARGE';
}

function timedOut(): DtkdError {
  return new DtkdError('TIMEOUT', 'the content did not arrive in time');
}

const keyText = ({ domain, key }: { domain: string; key: string }) => `${domain} ${key}`;

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
