/**
 * Both ends of `/dtkd/carry`: a node that writes a file asks the members that it reaches for what they have, so that one file covers them
 * all; and answers other members within limits. Does not know what the frames mean.
 */
import type { Duplex } from 'node:stream';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { AnswerFrame } from '../../../../protocol/orders/answer.ts';
import { CARRY_PROTOCOL, type CarryAnswer, type CarryRequest, carryAnswer, carryRequest } from '../../../../protocol/orders/carry.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { within } from '../../signals/within.ts';
import { FrameReader } from '../../streams/frame-reader.ts';
import { endStream, writeFrames } from '../../streams/frame-writer.ts';
import type { Member, Members } from '../dispatch.types.ts';
import * as limits from './limits.ts';

export type CarriedFrame = Exclude<CarryAnswer, { type: 'end' } | { type: 'refused' }>;
type What = Extract<CarryRequest, { type: 'carry' }>['what'];

export interface GatheringOptions {
  members: Members;
  /** What this node has, for a member that asks. */
  own(domain: string, what: What): AsyncIterable<CarriedFrame>;
  /** Takes an answer that a member brings to this node as its starter. Errors are reported to that member. */
  take(domain: string, answer: AnswerFrame): Promise<unknown>;
  logger: Logger;
  /** How long one member may take to send what it has. Milliseconds; default: TELL_MS. */
  tellMs?: number | undefined;
}

export class Gathering {
  readonly #options: GatheringOptions;
  readonly #serving = new Map<Duplex, string>();
  readonly #closing = new AbortController();

  constructor(options: GatheringOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.members.handle(CARRY_PROTOCOL, (stream, from) => void this.#serve(stream, from));
  }

  stop(): void {
    this.#closing.abort(new DtkdError('UNAVAILABLE', 'the daemon is stopping'));
    for (const stream of this.#serving.keys()) stream.destroy();
  }

  /** Yields what the reachable members have. Skips those that do not answer. */
  async *from(domain: string, what: What, signal: AbortSignal): AsyncGenerator<CarriedFrame> {
    const near = this.#options.members.list().filter((member) => member.domain === domain && member.reach !== 'away');
    const asked = near.slice(0, limits.MAX_ASKED);
    for (let at = 0; at < asked.length; at += limits.ASKED_AT_ONCE) {
      const some = asked.slice(at, at + limits.ASKED_AT_ONCE);
      const open = (member: Member) => this.#open(member, { type: 'carry', what }, signal);
      const streams = await Promise.all(some.map(open));
      try {
        for (const [turn, member] of some.entries()) {
          // A member may have given up waiting for its turn: ask it again.
          if (streams[turn]?.destroyed === true) streams[turn] = await open(member);
          const stream = streams[turn];
          if (stream !== undefined) yield* this.#read(stream, member);
          stream?.destroy();
        }
      } finally {
        for (const stream of streams) stream?.destroy();
      }
    }
  }

  /** Brings an answer to its starter, which replies `end` once the answer counts there. Undefined if there is no reply. */
  async deliver(to: { domain: string; key: string }, answer: AnswerFrame): Promise<CarryAnswer | undefined> {
    const stream = await this.#open(to, { type: 'deliver', answer }, this.#closing.signal);
    if (stream === undefined) return undefined;
    try {
      const bytes = await new FrameReader(stream, limits.MAX_CARRY_FRAME_BYTES).next(limits.TAKE_MS);
      return bytes === undefined ? undefined : decodeCbor(bytes, carryAnswer, 'the answer to a carried answer');
    } catch (error) {
      this.#options.logger.debug({ err: error, key: to.key }, 'A starter did not confirm that it took an answer');
      return undefined;
    } finally {
      stream.destroy();
    }
  }

  async #open(to: { domain: string; key: string }, request: CarryRequest, signal: AbortSignal): Promise<Duplex | undefined> {
    try {
      const stream = await this.#options.members.open(to, CARRY_PROTOCOL, within(limits.OPEN_MS, signal));
      // Errors surface when the stream is read.
      stream.on('error', () => undefined);
      stream.end(encodeFrame(encodeCbor(request)));
      return stream;
    } catch (error) {
      this.#options.logger.debug({ err: error, key: to.key }, 'A member could not be asked for what is to be carried');
      return undefined;
    }
  }

  async *#read(stream: Duplex, { node }: Member): AsyncGenerator<CarriedFrame> {
    let left = this.#options.tellMs ?? limits.TELL_MS;
    const reader = new FrameReader(stream, limits.MAX_CARRY_FRAME_BYTES);
    for (let count = 0; count < limits.MAX_FRAMES; count += 1) {
      let frame: CarryAnswer;
      try {
        const since = performance.now();
        const bytes = await reader.next(Math.min(limits.FRAME_MS, left));
        left -= performance.now() - since;
        if (bytes === undefined) return;
        if (left <= 0) throw new DtkdError('TIMEOUT', 'it takes too long');
        frame = decodeCbor(bytes, carryAnswer, 'what a member has to be carried');
      } catch (error) {
        this.#options.logger.warn({ err: error, node }, 'A member did not give all that it has to be carried');
        return;
      }
      if (frame.type === 'end' || frame.type === 'refused') return;
      yield frame;
    }
  }

  async *#answer(request: CarryRequest, from: Member): AsyncGenerator<CarryAnswer> {
    if (request.type === 'carry') yield* this.#options.own(from.domain, request.what);
    else {
      try {
        await this.#options.take(from.domain, request.answer);
      } catch (error) {
        if (!(error instanceof DtkdError)) throw error;
        yield { type: 'refused', code: error.code, message: error.message.slice(0, 1_024) };
        return;
      }
    }
    yield { type: 'end' };
  }

  async #serve(stream: Duplex, from: Member): Promise<void> {
    stream.on('error', () => undefined);
    const who = `${from.domain} ${from.key}`;
    const busy = this.#serving.size >= limits.MAX_SERVED || [...this.#serving.values()].includes(who);
    if (this.#closing.signal.aborted || busy) {
      stream.destroy();
      return;
    }
    this.#serving.set(stream, who);
    stream.once('close', () => this.#serving.delete(stream));
    try {
      const frame = await new FrameReader(stream, limits.MAX_CARRY_FRAME_BYTES).next(limits.FRAME_MS);
      if (frame === undefined) throw new DtkdError('FRAME_INVALID', 'the stream ended before a request');
      for await (const one of this.#answer(decodeCbor(frame, carryRequest, 'a request to carry'), from)) {
        await writeFrames(stream, [encodeFrame(encodeCbor(one))], limits.STALL_MS);
      }
      await endStream(stream, limits.STALL_MS);
      stream.resume();
      const timer = setTimeout(() => stream.destroy(), limits.FRAME_MS);
      stream.once('close', () => clearTimeout(timer));
    } catch (error) {
      this.#options.logger.debug({ err: error, node: from.node }, 'A member that carries was not answered');
      stream.destroy();
    }
  }
}
