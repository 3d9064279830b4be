/** Serves `/dtkd/content`: one request per stream, answered with the size and then the bytes, at the reader's pace. Decides nothing. */
import { open } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { contentRequest } from '../../../../protocol/orders/messages.ts';
import { Turns } from '../../counting/turns.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { FrameReader } from '../../streams/frame-reader.ts';
import { endStream, writeFrames } from '../../streams/frame-writer.ts';
import type { Member } from '../dispatch.types.ts';
import * as limits from './limits.ts';

/** A request is a digest and up to two numbers. */
const MAX_REQUEST_BYTES = 256;

export interface ServingOptions {
  /** Returns path and size of a file that this member may have; undefined if it does not exist or is not allowed. */
  find(digest: string, from: Member): Promise<{ path: string; size: number } | undefined>;
  logger: Logger;
}

export class ContentServing {
  readonly #options: ServingOptions;
  readonly #turns = new Turns({
    all: limits.MAX_SERVED,
    each: limits.MAX_SERVED_PER_PEER,
    sharing: true,
    waiting: limits.MAX_WAITING,
    waitingEach: limits.MAX_WAITING_PER_PEER,
  });
  readonly #live = new Set<Duplex>();
  #closed = false;

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  /** Serves one stream; never throws. */
  serve(stream: Duplex, from: Member): void {
    stream.on('error', () => undefined);
    if (this.#closed) {
      stream.destroy();
      return;
    }
    this.#live.add(stream);
    const end = this.#turns.take(`${from.domain} ${from.key}`, () => void this.#answer(stream, from));
    stream.once('close', () => {
      this.#live.delete(stream);
      end?.();
    });
    // The asker tries again after a pause.
    if (end === undefined) stream.destroy(new DtkdError('TOO_MANY_REQUESTS', 'too many requests are waiting already'));
  }

  close(): void {
    this.#closed = true;
    for (const stream of [...this.#live]) stream.destroy();
  }

  async #answer(stream: Duplex, from: Member): Promise<void> {
    try {
      const frame = await new FrameReader(stream, MAX_REQUEST_BYTES).next(limits.REQUEST_MS);
      if (frame === undefined) throw new DtkdError('FRAME_INVALID', 'the stream ended before a request');
      const { digest, offset, length } = decodeCbor(frame, contentRequest, 'a request for content');
      const found = await this.#options.find(digest, from);
      await writeFrames(stream, [encodeFrame(encodeCbor({ size: found?.size ?? -1 }))], limits.STALL_MS);
      if (found !== undefined) await send(stream, found, { offset, length });
      await endStream(stream, limits.STALL_MS);
      farewell(stream);
    } catch (error) {
      this.#options.logger.debug({ err: error, peer: from.node }, 'Content was not served');
      stream.destroy(error instanceof Error ? error : undefined);
    }
  }
}

async function send(
  stream: Duplex,
  { path, size }: { path: string; size: number },
  { offset, length = size }: { offset: number; length: number | undefined },
): Promise<void> {
  const end = Math.min(size, offset + length);
  const file = await open(path, 'r');
  try {
    for (let at = offset; at < end; ) {
      // Each chunk gets its own buffer: the stream keeps it until it is sent.
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(limits.CHUNK_BYTES, end - at)), 0, null, at);
      if (bytesRead === 0) throw new DtkdError('CONTENT_ALTERED', 'a file is shorter than it was');
      await writeFrames(stream, [encodeFrame(buffer.subarray(0, bytesRead))], limits.STALL_MS);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** Expects nothing more from the asker; data that it has not read yet still goes out. */
function farewell(stream: Duplex): void {
  stream.resume();
  if (stream.destroyed) return;
  const timer = setTimeout(() => stream.destroy(), limits.FAREWELL_MS);
  stream.once('close', () => clearTimeout(timer));
}
