/** What a target says in one conversation, checked as it comes. Takes no more than it was asked for, however much a target sends. */
import { DtkdError, isErrorCode } from '../../../../../protocol/errors.ts';
import type { DispatchEvent, DispatchRequest } from '../../../../../protocol/orders/messages.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import { MAX_IGNORED, MAX_WORDS } from '../limits.ts';
import type { Conversation } from './conversation.ts';

/** What one conversation came to. */
export type Heard =
  /** The part has ended, and its output is here. */
  | { was: 'ended' }
  /** Contact was lost, or there was no word. */
  | { was: 'lost' }
  /** It said what it must not. */
  | { was: 'untrue'; error: DtkdError }
  /** It knows nothing of it. */
  | { was: 'not-known' }
  /** It has less output than was asked for. */
  | { was: 'no-such-offset' }
  /** It does not take the order, now or ever. */
  | { was: 'busy' | 'not-taken'; code: string; message: string };

/** Who listens. */
export interface Ear {
  id: string;
  index: number;
  /** The part has ended by the target's word. */
  hasEnded(): boolean;
  /** All output is here that the target says there is. */
  hasAll(): boolean;
  hear(part: Part): void;
  /** Errors: FRAME_INVALID, FRAME_TOO_LARGE. */
  take(offset: number, records: Uint8Array): Promise<void>;
}

/** Asks, and listens until there is no more to hear. `answerMs`: for the first word; `tailMs`: for the rest of the output after the last. */
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

/** What a target's error means, by what it was asked. `taken`: it has told of the part before, and so is in trouble with telling, not with taking. */
function meaningOf(request: DispatchRequest, { code, message, next }: Extract<DispatchEvent, { type: 'error' }>, taken: boolean): Heard {
  const text = next === undefined ? message : `${message}. ${next}`;
  const isOrder = request.type === 'order' && !taken;
  // Whatever went wrong there, it may have gone wrong after the order was written down.
  if (isOrder && code === 'INTERNAL') return { was: 'lost' };
  if (code === 'TOO_MANY_REQUESTS' || code === 'UNAVAILABLE') return isOrder ? { was: 'busy', code, message: text } : { was: 'lost' };
  if (isOrder) return { was: 'not-taken', code: isErrorCode(code) ? code : 'ORDER_INVALID', message: text };
  if (code === 'BAD_REQUEST') return { was: 'no-such-offset' };
  return code === 'NOT_FOUND' ? { was: 'not-known' } : { was: 'lost' };
}
