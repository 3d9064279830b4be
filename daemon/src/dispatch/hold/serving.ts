/** Serves `/dtkd/hold`: one request and one answer per stream, limited per member and in total. Does not know what requests mean. */
import type { Duplex } from 'node:stream';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type HoldAnswer, type HoldRequest, holdRequest, MAX_HOLD_FRAME_BYTES } from '../../../../protocol/orders/hold.ts';
import { Turns } from '../../counting/turns.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { FrameReader } from '../../streams/frame-reader.ts';
import { endStream, writeFrames } from '../../streams/frame-writer.ts';
import type { Member } from '../dispatch.types.ts';
import { MAX_SERVED, MAX_SERVED_PER_PEER, REQUEST_MS } from './limits.ts';

const MAX_MESSAGE = 1_024;

export interface HoldServingOptions {
  /** Answers a request. Errors are reported to the asker. */
  answer(request: HoldRequest, from: Member): Promise<HoldAnswer>;
  logger: Logger;
}

export class HoldServing {
  readonly #options: HoldServingOptions;
  readonly #live = new Set<Duplex>();
  readonly #places = new Turns({ each: MAX_SERVED_PER_PEER, all: MAX_SERVED, sharing: true, waitingEach: 0 });
  readonly #busy = new Set<Promise<void>>();
  #closed = false;

  constructor(options: HoldServingOptions) {
    this.#options = options;
  }

  /** Serves one stream; never throws. */
  serve(stream: Duplex, from: Member): void {
    stream.on('error', () => undefined);
    const leave = this.#closed ? undefined : this.#places.take(`${from.domain} ${from.key}`, () => {});
    if (leave === undefined) {
      stream.destroy();
      return;
    }
    this.#live.add(stream);
    stream.once('close', () => {
      this.#live.delete(stream);
      leave();
    });
    const serving = this.#answer(stream, from).finally(() => this.#busy.delete(serving));
    this.#busy.add(serving);
  }

  /** Closes all streams, and resolves when nothing is running any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stream of [...this.#live]) stream.destroy();
    await Promise.all(this.#busy);
  }

  async #answer(stream: Duplex, from: Member): Promise<void> {
    try {
      const answer = await this.#judge(stream, from);
      await writeFrames(stream, [encodeFrame(encodeCbor(answer))], REQUEST_MS);
      await endStream(stream, REQUEST_MS);
      stream.resume();
      const timer = setTimeout(() => stream.destroy(), REQUEST_MS);
      stream.once('close', () => clearTimeout(timer));
    } catch (error) {
      this.#options.logger.debug({ err: error, peer: from.node }, 'A request to hold an order was not answered');
      stream.destroy();
    }
  }

  async #judge(stream: Duplex, from: Member): Promise<HoldAnswer> {
    try {
      const frame = await new FrameReader(stream, MAX_HOLD_FRAME_BYTES).next(REQUEST_MS);
      if (frame === undefined) throw new DtkdError('FRAME_INVALID', 'the stream ended before a request');
      return await this.#options.answer(decodeCbor(frame, holdRequest, 'a request to hold an order'), from);
    } catch (error) {
      if (stream.destroyed) throw error;
      if (error instanceof DtkdError) return { type: 'refused', code: error.code, message: error.message.slice(0, MAX_MESSAGE) };
      this.#options.logger.warn({ err: error, peer: from.node }, 'A request to hold an order failed');
      return { type: 'refused', code: 'INTERNAL', message: 'it failed unexpectedly' };
    }
  }
}
