/** Tells a target to end a part, on a stream of its own. The result is heard where the part is followed. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { MAX_IGNORED, type Timing } from '../limits.ts';
import type { Line } from './part-driver.types.ts';

export type AbortTold = { told: true } | { told: false; reason: string };

export interface AbortRequest {
  line: Pick<Line, 'open'>;
  /** The target's name, for messages. */
  node: string;
  user: { name: string; uid: string } | undefined;
  id: string;
  index: number;
  /** Aborts when the attempts are to stop. */
  signal: AbortSignal;
  timing: Pick<Timing, 'answerMs' | 'backoffMs'>;
  /** True if the part has ended meanwhile. */
  hasEnded(): boolean;
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

/** Retries until the target has answered, the part has ended, or the time is over. */
export async function tellAbort(asked: AbortRequest): Promise<AbortTold> {
  const { signal, hasEnded, timing, node } = asked;
  let reason = `${node} could not be reached`;
  while (!signal.aborted && !hasEnded()) {
    try {
      const answer = await askOnce(asked);
      if (answer !== undefined) return answer;
    } catch (error) {
      if (!(error instanceof DtkdError)) throw error;
      reason = error.message;
    }
    await asked.pause(timing.backoffMs.first, signal);
  }
  return hasEnded() ? { told: true } : { told: false, reason };
}

/** Undefined if there was no answer. */
async function askOnce({ line, user, id, index, signal, timing }: AbortRequest): Promise<AbortTold | undefined> {
  const conversation = await line.open(signal);
  try {
    await conversation.ask({ type: 'abort', ...(user === undefined ? {} : { user }), id, index }, timing.answerMs);
    for (let events = 0; events <= MAX_IGNORED; events += 1) {
      const event = await conversation.next(timing.answerMs);
      if (event?.type === 'part' && event.id === id && event.part.index === index) return { told: true };
      if (event?.type === 'error') return { told: false, reason: event.message };
      if (event === undefined || event.type === 'end') break;
    }
    return undefined;
  } finally {
    conversation.close();
  }
}
