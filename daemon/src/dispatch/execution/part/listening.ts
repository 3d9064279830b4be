/** Listens to a target in one conversation, and checks each event. Takes no more than was asked for, however much the target sends. */
import { DtkdError, isErrorCode } from '../../../../../protocol/errors.ts';
import type { DispatchEvent, DispatchRequest } from '../../../../../protocol/orders/messages.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import { MAX_IGNORED, MAX_WORDS } from '../limits.ts';
import type { Conversation } from './conversation.ts';

/** The result of one conversation. */
export type Heard =
  /** The part has ended, and its output is here. */
  | { was: 'ended' }
  /** Contact was lost, or there was no answer. */
  | { was: 'lost' }
  /** The target broke the protocol. */
  | { was: 'untrue'; error: DtkdError }
  /** The target knows nothing of the part. */
  | { was: 'not-known' }
  /** The target has less output than was asked for. */
  | { was: 'no-such-offset' }
  /** The target does not take the order now (`busy`), or at all (`not-taken`). */
  | { was: 'busy' | 'not-taken'; code: string; message: string };

/** The listener: takes what a target says of one part. */
export interface Ear {
  id: string;
  index: number;
  /** The target has said that the part has ended. */
  hasEnded(): boolean;
  /** All output that the target has according to itself is here, or no more can be had. */
  hasAll(): boolean;
  hear(part: Part): void;
  /** Errors: FRAME_INVALID, FRAME_TOO_LARGE. */
  take(offset: number, records: Uint8Array): Promise<void>;
}

/**
 * Asks, and listens to the end. `answerMs`: time for the first word; `tailMs`: time for the rest of the output after the part has ended.
 */
export async function listen(
  conversation: Conversation,
  request: DispatchRequest,
  ear: Ear,
  { answerMs, tailMs }: { answerMs: number; tailMs: number },
): Promise<Heard> {
  try {
    await conversation.ask(request, answerMs);
    return await hearOut(conversation, request, ear, { answerMs, tailMs });
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    if (ear.hasEnded() && ear.hasAll()) return { was: 'ended' };
    return error.code === 'FRAME_INVALID' || error.code === 'FRAME_TOO_LARGE' ? { was: 'untrue', error } : { was: 'lost' };
  }
}

async function hearOut(
  conversation: Conversation,
  request: DispatchRequest,
  ear: Ear,
  { answerMs, tailMs }: { answerMs: number; tailMs: number },
): Promise<Heard> {
  let refusal: Extract<DispatchEvent, { type: 'error' }> | undefined;
  let words = 0;
  for (let ignored = 0; ignored <= MAX_IGNORED && words <= MAX_WORDS; ) {
    const ended = ear.hasEnded();
    if (ended && ear.hasAll()) return { was: 'ended' };
    const heard = words > 0;
    const event = await conversation.next(ended ? tailMs : heard ? undefined : answerMs);
    if (event === undefined) return { was: 'lost' };
    switch (event.type) {
      case 'part':
        if (event.id === ear.id && event.part.index === ear.index) {
          words += 1;
          ear.hear(event.part);
        } else ignored += 1;
        break;
      case 'records':
        await ear.take(event.offset, event.records);
        break;
      case 'prepared':
        ignored += 1;
        break;
      case 'error':
        ignored += 1;
        refusal = event;
        break;
      case 'end':
        if (ear.hasEnded()) return { was: 'ended' };
        return refusal === undefined ? { was: 'lost' } : meaningOf(request, refusal, words > 0);
    }
  }
  return { was: 'untrue', error: new DtkdError('FRAME_INVALID', 'it says too much') };
}

/**
 * What a target's error means, given the request. `taken`: the target has reported on the part before, so it took the order, and its
 * trouble is only with reporting.
 */
function meaningOf(request: DispatchRequest, { code, message, next }: Extract<DispatchEvent, { type: 'error' }>, taken: boolean): Heard {
  const text = next === undefined ? message : `${message}. ${next}`;
  const isOrder = request.type === 'order' && !taken;
  // it may have gone wrong after the order was journaled
  if (isOrder && code === 'INTERNAL') return { was: 'lost' };
  if (code === 'TOO_MANY_REQUESTS' || code === 'UNAVAILABLE') return isOrder ? { was: 'busy', code, message: text } : { was: 'lost' };
  if (isOrder) return { was: 'not-taken', code: isErrorCode(code) ? code : 'ORDER_INVALID', message: text };
  if (code === 'BAD_REQUEST') return { was: 'no-such-offset' };
  return code === 'NOT_FOUND' ? { was: 'not-known' } : { was: 'lost' };
}
