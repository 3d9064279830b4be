/**
 * One request of `/dtkd/dispatch` and its events, over a stream. Reads only on demand, so a target cannot make this node hold more than
 * one frame.
 */
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

/** Records, or an order that proves whose part it is, and the event around them. */
const MAX_EVENT_BYTES = MAX_RECORDS_BYTES + MAX_ORDER_BYTES + 16 * 1024;

export type PrepareRequest = Extract<DispatchRequest, { type: 'prepare' }>;

export interface Conversation {
  /** False once nothing more can be asked on it for certain. */
  isOpen(): boolean;
  /**
   * Sends the request. From the call on the other side may have heard it, even if this fails. `stallMs`: how long it may take nothing in.
   */
  ask(request: DispatchRequest, stallMs: number): Promise<void>;
  /** The next event; undefined if the other side has finished. Errors: TIMEOUT, PEER_AWAY, FRAME_INVALID, FRAME_TOO_LARGE. */
  next(timeoutMs?: number): Promise<DispatchEvent | undefined>;
  close(): void;
}

/** A conversation on which nothing has been said yet. */
export interface NewConversation extends Conversation {
  /**
   * Has the other side make an order ready without starting it: `ask` starts it. Errors: those of `next`; CONFLICT if the other side does
   * not do that. After an error nothing can be asked on it.
   */
  prepare(request: PrepareRequest, answerMs: number): Promise<void>;
}

/** Opens a stream to a member. Errors: PEER_AWAY, TIMEOUT. After either the member has heard nothing. */
export async function openConversation(
  members: Pick<Members, 'open'>,
  to: { domain: string; key: string },
  signal: AbortSignal,
): Promise<NewConversation> {
  const stream = await members.open(to, DISPATCH_PROTOCOL, signal);
  // errors show when the stream is read
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
