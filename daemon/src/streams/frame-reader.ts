/**
 * Reads frames from a stream on demand. Frames that nobody asks for stay with the sender, except for what the stream itself reads
 * ahead. A stream ends only when the other side says so; any other end is PEER_AWAY.
 */
import type { Duplex } from 'node:stream';
import { createFrameDecoder, type FrameDecoder } from '../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../protocol/errors.ts';

export class FrameReader {
  readonly #stream: Duplex;
  readonly #decoder: FrameDecoder;
  #frames: Uint8Array[] = [];

  constructor(stream: Duplex, maxFrameBytes: number) {
    this.#stream = stream;
    this.#decoder = createFrameDecoder(maxFrameBytes);
  }

  /** Limits the size of the frames that follow. Errors: FRAME_TOO_LARGE. */
  limit(maxFrameBytes: number): void {
    this.#decoder.limit(maxFrameBytes);
  }

  /**
   * The next frame; undefined if the other side has ended. Throws FRAME_INVALID, FRAME_TOO_LARGE, PEER_AWAY, and TIMEOUT if the
   * frame is not complete in time.
   */
  async next(timeoutMs?: number): Promise<Uint8Array | undefined> {
    const until = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#stream.readableEnded) {
        if (!this.#decoder.atBoundary()) throw new DtkdError('FRAME_INVALID', 'the other side ended in the middle of a frame');
        return undefined;
      }
      if (this.#stream.destroyed) throw cut(this.#stream.errored);
      const chunk: unknown = this.#stream.read();
      if (chunk instanceof Uint8Array) this.#frames = this.#decoder.push(chunk);
      else await this.#more(until);
    }
  }

  /** Waits until there is something to read, or nothing more to come. */
  #more(until: number | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stream = this.#stream;
    const timer = until === undefined ? undefined : setTimeout(() => reject(late()), Math.max(0, until - performance.now()));
    stream.on('readable', resolve).on('end', resolve).on('close', resolve).on('error', resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      stream.off('readable', resolve).off('end', resolve).off('close', resolve).off('error', resolve);
    });
  }
}

function late(): DtkdError {
  return new DtkdError('TIMEOUT', 'the other side did not send the next frame in time');
}

function cut(cause: unknown): DtkdError {
  if (cause instanceof DtkdError) return cause;
  return new DtkdError('PEER_AWAY', 'the connection to the peer was lost', { cause });
}
