/**
 * Fetches one file from members: asks one after the other, goes on where the last one stopped, begins anew where what came does not have the
 * digest. Guarantees that what it calls whole has the digest; keeps what it has when it gives up. Does not decide whom to believe: the hash does.
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
  /** Bytes that it has, if somebody told. */
  size: number | undefined;
  /** Who is asked first; may grow while it runs. */
  prefer: readonly { domain: string; key: string }[];
  /** Aborts when nobody waits for it any more. */
  signal: AbortSignal;
}

export interface FetchOptions {
  members: Pick<Members, 'list' | 'byKey' | 'open' | 'onChange'>;
  /** Takes so many bytes of the disk's share. Throws DISK_FULL. */
  reserve(bytes: number): Promise<void>;
  logger: Logger;
  patienceMs: number;
  /** The first rest between two rounds. */
  restMs: number;
}

/** whole: all bytes are there. missing: it is not there, or not for us. cut: it may be had there later. wrong: it is not what was asked for. */
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
  /** Members whose bytes turned out to be wrong, or who said so little that it came to the same. */
  readonly #banned = new Set<string>();
  /** Whose bytes the file has. Empty: from an earlier time. */
  readonly #givers = new Set<string>();
  /** One giver at a time: bytes of several together were wrong. */
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

  /** True if the file is all of it. If it is as long and is not, its givers are not believed again. */
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
    // Those with a connection first, and among equals not always the same.
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
      this.#options.logger.debug({ err: error, from: member.node }, 'Content did not come whole');
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

  /** Rests, longer each time without progress; a change among the members ends it. */
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
      return new DtkdError('CONTENT_ALTERED', `${name} is not what it should be at ${this.#banned.size} of the members that have it`, {
        next: 'Install the module, or copy the file, anew where it comes from.',
      });
    const who = this.#job.prefer.flatMap(({ domain, key }) => this.#options.members.byKey(domain, key)?.node ?? []);
    return new DtkdError('CONTENT_MISSING', `${name} is at no member that can be reached now`, {
      next: who.length === 0 ? 'Try again when a node that has it is connected.' : `Try again when ${who.join(' or ')} is connected.`,
    });
  }
}

/** Errors that speak of the other side, and not of this one. */
function isFromPeer({ code }: DtkdError): boolean {
  return code === 'PEER_AWAY' || code === 'TIMEOUT' || code === 'FRAME_INVALID' || code === 'FRAME_TOO_LARGE';
}

function timedOut(): DtkdError {
  return new DtkdError('TIMEOUT', 'the content did not come in time');
}

const keyText = ({ domain, key }: { domain: string; key: string }) => `${domain} ${key}`;

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
