/**
 * Frames over a stream, for conversations of a few messages. Reads one frame at a time, so the other side cannot make us hold more. Each
 * frame must arrive whole within its time limit, and the conversation end within its own, so a stalled or trickling peer costs only a
 * timer. Any violation destroys the stream with a coded error; nothing here ends the process.
 */
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { createFrameDecoder, encodeFrame, type FrameDecoder } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { patiently } from './patience.ts';

/** Time for the last message to get through, one round trip. A peer that does not end its side by then is cut. */
const FINISH_TIMEOUT_MS = 1_000;

export interface ChannelLimits {
  maxFrameBytes: number;
  /** For each frame, sent or received. */
  timeoutMs: number;
  /** For the whole conversation: many small frames, each in time, must not hold up whatever waits for its end. */
  totalMs?: number;
}

export class FrameChannel {
  readonly stream: Duplex;
  readonly #decoder: FrameDecoder;
  readonly #frames: Uint8Array[] = [];
  readonly #limits: ChannelLimits;
  readonly #endsAt: number;

  constructor(stream: Duplex, limits: ChannelLimits) {
    this.stream = stream;
    this.#limits = limits;
    this.#endsAt = performance.now() + patiently(limits.totalMs ?? Number.POSITIVE_INFINITY);
    this.#decoder = createFrameDecoder(limits.maxFrameBytes);
  }

  /** The next frame, or undefined if the other side has ended. Throws FRAME_INVALID, FRAME_TOO_LARGE, TIMEOUT or PEER_AWAY. */
  async read(): Promise<Uint8Array | undefined> {
    const deadline = this.#deadline();
    try {
      if (deadline.aborted) throw late();
      for (;;) {
        const frame = this.#frames.shift();
        if (frame !== undefined) return frame;
        const chunk: Buffer | null = this.stream.destroyed ? null : this.stream.read();
        if (chunk !== null) {
          this.#frames.push(...this.#decoder.push(chunk));
        } else if (this.stream.readableEnded) {
          if (this.#decoder.atBoundary()) return undefined;
          throw new DtkdError('FRAME_INVALID', 'the stream ended in the middle of a frame');
        } else {
          await readable(this.stream, deadline);
        }
      }
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** The next frame, parsed. If the stream ends instead, throws PEER_AWAY. */
  async receive<T>(schema: z.ZodType<T>, what: string): Promise<T> {
    const frame = await this.read();
    if (frame === undefined) throw new DtkdError('PEER_AWAY', `the peer ended the stream before ${what}`);
    try {
      return decodeCbor(frame, schema, what);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** Sends one value and waits until the stream has room again. */
  async send(value: unknown): Promise<void> {
    await this.sendBytes(encodeCbor(value));
  }

  async sendBytes(payload: Uint8Array): Promise<void> {
    if (this.stream.destroyed || !this.stream.writable) throw lost();
    const deadline = this.#deadline();
    if (this.stream.write(encodeFrame(payload))) return;
    try {
      await event(this.stream, 'drain', deadline);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  #deadline(): AbortSignal {
    const left = this.#endsAt - performance.now();
    return left <= 0 ? AbortSignal.abort() : AbortSignal.timeout(Math.ceil(Math.min(patiently(this.#limits.timeoutMs), left)));
  }

  /** Sends FIN; what the other side still sends can be read. */
  end(): void {
    if (!this.stream.destroyed) this.stream.end();
  }

  /** Ends our side, discards what still comes, and destroys the stream shortly after unless the other side has ended it. */
  finish(): void {
    const { stream } = this;
    if (stream.destroyed) return;
    stream.end();
    stream.resume();
    const timer = setTimeout(() => stream.destroy(), FINISH_TIMEOUT_MS);
    stream.once('close', () => clearTimeout(timer));
  }

  fail(error: unknown): void {
    if (!this.stream.destroyed) this.stream.destroy(error instanceof Error ? error : new Error('failed'));
  }

  /** Returns the stream without framing. Bytes received after the last frame are put back into it. */
  release(): Duplex {
    const rest = this.#decoder.rest();
    if (rest.length > 0) this.stream.unshift(rest);
    return this.stream;
  }
}

function readable(stream: Duplex, deadline: AbortSignal): Promise<void> {
  return event(stream, 'readable', deadline);
}

/** Waits for an event, or `end`; rejects if the stream fails, closes, or time runs out. */
function event(stream: Duplex, name: 'readable' | 'drain', deadline: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      stream.off(name, onEvent);
      stream.off('end', onEvent);
      stream.off('error', settle);
      stream.off('close', onClose);
      deadline.removeEventListener('abort', onTimeout);
      if (error === undefined) resolve();
      else reject(error instanceof DtkdError ? error : lost(error));
    };
    const onEvent = (): void => settle();
    const onClose = (): void => settle(stream.errored ?? lost());
    const onTimeout = (): void => settle(late());
    if (stream.destroyed) {
      onClose();
      return;
    }
    stream.on(name, onEvent);
    stream.on('end', onEvent);
    stream.on('error', settle);
    stream.on('close', onClose);
    deadline.addEventListener('abort', onTimeout);
    if (deadline.aborted) onTimeout();
  });
}

function late(): DtkdError {
  return new DtkdError('TIMEOUT', 'the peer did not answer in time');
}

function lost(cause?: unknown): DtkdError {
  return new DtkdError('PEER_AWAY', 'the connection to the peer was lost', { cause });
}
