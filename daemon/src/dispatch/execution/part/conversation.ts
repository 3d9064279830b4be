/** One request of `/dtkd/dispatch` and its events, over a stream. Reads only what is asked for, so a target cannot make this node hold more than a frame. */
import type { Duplex } from 'node:stream';
import { decodeCbor, encodeCbor } from '../../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import {
  DISPATCH_PROTOCOL,
  type DispatchEvent,
  type DispatchGo,
  type DispatchRequest,
  dispatchEvent,
  MAX_RECORDS_BYTES,
} from '../../../../../protocol/orders/messages.ts';
import { MAX_ORDER_BYTES } from '../../../../../protocol/orders/order.ts';
import { FrameReader } from '../../../streams/frame-reader.ts';
import { endStream } from '../../../streams/frame-writer.ts';
import type { Members } from '../../dispatch.types.ts';

/** Records, or an order that proves whose a part is, and what surrounds them. */
const MAX_EVENT_BYTES = MAX_RECORDS_BYTES + MAX_ORDER_BYTES + 16 * 1024;

export type PrepareRequest = Extract<DispatchRequest, { type: 'prepare' }>;

export interface Conversation {
  /** False once it is certain that nothing can be asked on it any more. */
  isOpen(): boolean;
  /** From here on the other side may have heard it, also if this fails. `stallMs`: in which it takes nothing. */
  ask(request: DispatchRequest, stallMs: number): Promise<void>;
  /** The next event; undefined if the other side has no more to say. Errors: TIMEOUT, PEER_AWAY, FRAME_INVALID, FRAME_TOO_LARGE. */
  next(timeoutMs?: number): Promise<DispatchEvent | undefined>;
  close(): void;
}

/** On which nothing was said yet. */
export interface NewConversation extends Conversation {
  /**
   * Has the other side make an order ready, and start nothing: it starts once it is asked for it. Errors: those of `next`; CONFLICT if it does not. After an error nothing can be
   * asked on it.
   */
  prepare(request: PrepareRequest, answerMs: number): Promise<void>;
}

/** Opens a stream to a member. Errors: PEER_AWAY, TIMEOUT: it has heard nothing. */
export async function openConversation(
  members: Pick<Members, 'open'>,
  to: { domain: string; key: string },
  signal: AbortSignal,
): Promise<NewConversation> {
  const stream = await members.open(to, DISPATCH_PROTOCOL, signal);
  // what happens to it is seen when it is read
  stream.on('error', () => undefined);
  return conversationOn(stream);
}

function conversationOn(stream: Duplex): NewConversation {
  const reader = new FrameReader(stream, MAX_EVENT_BYTES);
  let prepared = false;
  const next = async (timeoutMs?: number): Promise<DispatchEvent | undefined> => {
    const frame = await reader.next(timeoutMs);
    return frame === undefined ? undefined : decodeCbor(frame, dispatchEvent, 'an event of a dispatch');
  };
  const say = (what: DispatchRequest | DispatchGo): void => {
    if (stream.destroyed) throw new DtkdError('PEER_AWAY', 'the connection to the peer was lost');
    stream.write(encodeFrame(encodeCbor(what)));
  };
  return {
    isOpen: () => !stream.destroyed && !stream.readableEnded,
    async prepare(request, answerMs) {
      say(request);
      const answer = await next(answerMs);
      if (answer?.type !== 'prepared') throw new DtkdError('CONFLICT', 'it does not take the order ahead');
      prepared = true;
    },
    async ask(request, stallMs) {
      if (prepared && request.type !== 'order') throw new DtkdError('PEER_AWAY', 'this stream is for the order that is ready');
      say(prepared ? { type: 'go' } : request);
      await endStream(stream, stallMs);
    },
    next,
    close: () => stream.destroy(),
  };
}
