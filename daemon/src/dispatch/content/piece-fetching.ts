/**
 * Fetches a file from several members at once, a different piece from each. Verifies each piece as it arrives. A member that gives a
 * wrong piece or another size is named and not asked again; a piece that does not arrive is taken over by another member. Guarantees that
 * every kept piece is right, and fetches none that is there already.
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
import * as limits from './limits.ts';
import type { PieceFile } from './piece-file.ts';

export interface PieceJob {
  digest: string;
  size: number;
  /** Members to ask first. */
  prefer: readonly { domain: string; key: string }[];
  /** Aborted when nobody waits for it any more. */
  signal: AbortSignal;
  onProgress(progress: { done: number; size: number; members: readonly string[] }): void;
  onAltered(member: Member): void;
}

export interface PieceOptions {
  members: Pick<Members, 'list' | 'byKey' | 'open' | 'onChange'>;
  logger: Logger;
  patienceMs: number;
  /** The first pause of a member that broke off. Milliseconds. */
  restMs: number;
  /** How long a piece may be in progress before another member is asked for it as well. Milliseconds. */
  takeOverMs: number;
  /** True if this member (`DOMAIN KEY`) gave wrong bytes for this content. */
  isDistrusted(member: string): boolean;
}

/**
 * right: the piece is there. missing: the member does not have the file, or not for us. cut: the member may give it later. wrong: it is
 * not what was asked for.
 */
type Answer = 'right' | 'missing' | 'cut' | 'wrong';

interface Attempt {
  piece: number;
  member: Member;
  since: number;
  controller: AbortController;
}

/** The state of a member during one fetch. */
interface Giver {
  /** It has given a piece, so it may be asked for several at a time. */
  known: boolean;
  lacks: boolean;
  wrong: boolean;
  /** Not asked before this time. */
  restUntil: number;
  restMs: number;
}

/** Fills the file. Errors: CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT by the signal. */
export async function fetchPieces(file: PieceFile, job: PieceJob, options: PieceOptions): Promise<void> {
  await new PieceFetching(file, job, options).run();
}

class PieceFetching {
  readonly #file: PieceFile;
  readonly #job: PieceJob;
  readonly #options: PieceOptions;
  readonly #givers = new Map<string, Giver>();
  readonly #attempts = new Set<Attempt>();
  /** Nodes that gave a piece. */
  readonly #gave = new Set<string>();
  readonly #altered = new Set<string>();
  #failure: unknown;
  #progressAt = performance.now();
  #wake = Promise.withResolvers<void>();

  constructor(file: PieceFile, job: PieceJob, options: PieceOptions) {
    this.#file = file;
    this.#job = job;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { signal } = this.#job;
    const wake = () => this.#wake.resolve();
    const unsubscribe = this.#options.members.onChange(wake);
    signal.addEventListener('abort', wake, { once: true });
    try {
      this.#tell();
      while (this.#file.missing > 0) {
        if (signal.aborted) throw timedOut();
        this.#assign();
        const waited = performance.now() - this.#progressAt > this.#options.patienceMs;
        if (waited || (this.#attempts.size === 0 && !this.#hasHope())) throw this.#missing();
        await this.#pause();
        if (this.#failure !== undefined) throw this.#failure;
      }
    } finally {
      unsubscribe();
      signal.removeEventListener('abort', wake);
      for (const { controller } of this.#attempts) controller.abort();
    }
  }

  /** Asks members for pieces, up to the limits. */
  #assign(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const attempt = { ...next, since: performance.now(), controller: new AbortController() };
      this.#attempts.add(attempt);
      void this.#try(attempt);
    }
  }

  /**
   * Chooses whom to ask next, and for which piece. A slow member that holds the last pieces has room for more, but cannot take over from
   * itself; then another gets its turn.
   */
  #next(): Pick<Attempt, 'member' | 'piece'> | undefined {
    for (const member of this.#candidates()) {
      const piece = this.#hasRoom(member) ? this.#nextPiece(member) : undefined;
      if (piece !== undefined) return { member, piece };
    }
    return undefined;
  }

  /**
   * Returns members that may have the file: preferred ones first, then those that gave pieces, then connected ones; less busy ones first
   * among equals.
   */
  #candidates(): Member[] {
    const { members, isDistrusted } = this.#options;
    const now = performance.now();
    const preferred = new Set(this.#job.prefer.map(keyText));
    const rank = (member: Member): number => {
      if (preferred.has(keyText(member))) return 0;
      if (this.#givers.get(keyText(member))?.known === true) return 1;
      return member.reach === 'connected' ? 2 : 3;
    };
    return members
      .list()
      .filter((member) => {
        const giver = this.#givers.get(keyText(member));
        if (member.reach === 'away' || isDistrusted(keyText(member))) return false;
        return giver === undefined || !(giver.lacks || giver.wrong || giver.restUntil > now);
      })
      .sort((a, b) => rank(a) - rank(b) || this.#load(a) - this.#load(b));
  }

  #load(member: Member): number {
    return [...this.#attempts].filter((one) => keyText(one.member) === keyText(member)).length;
  }

  #hasRoom(member: Member): boolean {
    const load = this.#load(member);
    if (load === 0) return new Set([...this.#attempts].map((one) => keyText(one.member))).size < limits.MAX_GIVERS;
    return this.#givers.get(keyText(member))?.known === true && load < limits.PIECES_PER_GIVER;
  }

  /** Returns the first piece that nobody was asked for, or else one that others have been slow to give. */
  #nextPiece(member: Member): number | undefined {
    const underWay = new Map<number, Attempt[]>();
    for (const attempt of this.#attempts) underWay.set(attempt.piece, [...(underWay.get(attempt.piece) ?? []), attempt]);
    let slow: number | undefined;
    const before = performance.now() - this.#options.takeOverMs;
    for (let piece = 0; piece < this.#file.count; piece++) {
      if (this.#file.has(piece)) continue;
      const attempts = underWay.get(piece);
      if (attempts === undefined) return piece;
      const late =
        attempts.length < limits.MAX_ATTEMPTS && attempts.every((one) => one.since <= before && keyText(one.member) !== keyText(member));
      if (late) slow ??= piece;
    }
    return slow;
  }

  async #try(attempt: Attempt): Promise<void> {
    const key = keyText(attempt.member);
    const giver = this.#givers.get(key) ?? { known: false, lacks: false, wrong: false, restUntil: 0, restMs: this.#options.restMs };
    this.#givers.set(key, giver);
    try {
      const answer = await this.#ask(attempt);
      if (answer === 'right') this.#right(attempt, giver);
      else if (answer === 'missing') giver.lacks = true;
      else if (answer === 'wrong') this.#wrong(attempt.member, giver);
      else {
        giver.restUntil = performance.now() + giver.restMs;
        giver.restMs = Math.min(giver.restMs * 2, limits.MAX_REST_MS);
      }
    } catch (error) {
      // An error of this node, such as a full disk.
      this.#failure ??= error;
    } finally {
      this.#attempts.delete(attempt);
      this.#wake.resolve();
    }
  }

  #right({ member, piece, controller }: Attempt, giver: Giver): void {
    giver.known = true;
    giver.restMs = this.#options.restMs;
    this.#gave.add(member.node);
    this.#progressAt = performance.now();
    for (const other of this.#attempts) if (other.piece === piece && other.controller !== controller) other.controller.abort();
    this.#tell();
  }

  #wrong(member: Member, giver: Giver): void {
    if (giver.wrong) return;
    giver.wrong = true;
    this.#altered.add(member.node);
    this.#options.logger.warn({ digest: this.#job.digest, from: member.node }, 'A member sent altered content');
    for (const other of this.#attempts) if (keyText(other.member) === keyText(member)) other.controller.abort();
    this.#job.onAltered(member);
  }

  #tell(): void {
    this.#job.onProgress({ done: this.#file.done, size: this.#job.size, members: [...this.#gave] });
  }

  async #ask(attempt: Attempt): Promise<Answer> {
    const { member, controller } = attempt;
    const signal = within(limits.PIECE_MS, this.#job.signal, controller.signal);
    let stream: Duplex;
    try {
      stream = await this.#options.members.open(member, CONTENT_PROTOCOL, within(limits.OPEN_MS, signal));
    } catch {
      return 'cut';
    }
    stream.on('error', () => undefined);
    const abort = () => stream.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const bytes = await this.#receive(stream, attempt.piece);
      if (!(bytes instanceof Uint8Array)) return bytes;
      return (await this.#file.take(attempt.piece, bytes)) ? 'right' : 'wrong';
    } catch (error) {
      if (signal.aborted) return 'cut';
      if (!(error instanceof DtkdError)) throw error;
      this.#options.logger.debug({ err: error, from: member.node }, 'A piece arrived incomplete');
      return error.code === 'FRAME_INVALID' || error.code === 'FRAME_TOO_LARGE' ? 'wrong' : 'cut';
    } finally {
      signal.removeEventListener('abort', abort);
      stream.destroy();
    }
  }

  async #receive(stream: Duplex, piece: number): Promise<Uint8Array | Answer> {
    const { digest, size: told } = this.#job;
    const length = this.#file.lengthOf(piece);
    stream.end(encodeFrame(encodeCbor({ digest, offset: this.#file.offsetOf(piece), length })));
    const reader = new FrameReader(stream, limits.CHUNK_BYTES);
    const first = await reader.next(limits.PIECE_HEAD_MS);
    if (first === undefined) return 'cut';
    const { size } = decodeCbor(first, contentHead, 'the head of content');
    if (size < 0) return 'missing';
    if (size !== told) return 'wrong';
    const bytes = Buffer.alloc(length);
    let come = 0;
    // A member that does not know `length` continues after the piece; the rest is ignored.
    while (come < length) {
      const chunk = await reader.next(limits.PIECE_STALL_MS);
      if (chunk === undefined) return 'cut';
      if (chunk.length === 0) return 'wrong';
      bytes.set(chunk.subarray(0, length - come), come);
      come += chunk.length;
    }
    return bytes;
  }

  /** Waits until something has happened, a pause may be over, or a piece may be due for taking over. */
  async #pause(): Promise<void> {
    const timer = setTimeout(() => this.#wake.resolve(), Math.min(this.#options.takeOverMs, this.#options.restMs * 2));
    await this.#wake.promise;
    clearTimeout(timer);
    this.#wake = Promise.withResolvers<void>();
  }

  /** True if a reachable member may still give it, such as one that pauses or was not asked yet. */
  #hasHope(): boolean {
    const { members, isDistrusted } = this.#options;
    return members.list().some((member) => {
      const giver = this.#givers.get(keyText(member));
      return member.reach !== 'away' && !isDistrusted(keyText(member)) && giver?.lacks !== true && giver?.wrong !== true;
    });
  }

  #missing(): DtkdError {
    const name = `content ${this.#job.digest.slice(0, 12)}…`;
    const { members, isDistrusted } = this.#options;
    const distrusted = members.list().filter((member) => isDistrusted(keyText(member)));
    const altered = [...new Set([...this.#altered, ...distrusted.map(({ node }) => node)])];
    const who = this.#job.prefer
      .flatMap(({ domain, key }) => members.byKey(domain, key)?.node ?? [])
      .filter((one) => !altered.includes(one));
    const left = this.#file.missing === this.#file.count ? '' : `; ${this.#file.missing} of its ${this.#file.count} pieces are missing`;
    if (altered.length > 0) {
      return new DtkdError(
        'CONTENT_ALTERED',
        `${name} is altered at ${altered.join(' and ')}, and no other member that can be reached now has it${left}`,
        {
          next: `Tell the operator of ${altered.join(' and ')}; try again when ${who.join(' or ') || 'another member that has it'} is connected.`,
          details: { altered },
        },
      );
    }
    return new DtkdError('CONTENT_MISSING', `${name} is not available: no member that can be reached now has it${left}`, {
      next: `Try again when ${who.join(' or ') || 'a node that has it'} is connected: what has arrived is kept.`,
    });
  }
}

function timedOut(): DtkdError {
  return new DtkdError('TIMEOUT', 'the content did not arrive in time');
}

export const keyText = ({ domain, key }: { domain: string; key: string }) => `${domain} ${key}`;
