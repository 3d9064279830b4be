/**
 * Reaches one target: opens a stream at its turn, or earlier, so that the target can make the order ready on it. That starts nothing, and
 * all of it can be dropped. Keeps trying for as long as a connection may take. Says nothing itself except the order to make ready.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Timing } from '../limits.ts';
import type { Conversation, NewConversation, PrepareRequest } from './conversation.ts';
import type { Line } from './part-driver.types.ts';
import type { Patience } from './patience.ts';

export interface ApproachOptions {
  line: Line;
  timing: Pick<Timing, 'connectMs' | 'answerMs' | 'backoffMs'>;
  patience: Patience;
}

export class Approach {
  readonly #options: ApproachOptions;
  /** What was opened ahead of the turn. `left` aborts when it is no longer wanted. */
  #ahead: { conversation: Promise<Conversation | undefined>; left: AbortController } | undefined;

  constructor(options: ApproachOptions) {
    this.#options = options;
  }

  /**
   * Opens a stream ahead of the turn, once. `ready`: what the target is to make ready on it. A failure is not reported: `reach` tries
   * again.
   */
  begin(ready: PrepareRequest | undefined): void {
    const { line, patience, timing } = this.#options;
    if (!line.maybeThere()) return;
    if (this.#ahead !== undefined) return;
    const left = new AbortController();
    const conversation = line
      .open(patience.within(timing.connectMs))
      .then((opened) => (ready === undefined ? opened : prepared(opened, ready, timing.answerMs, left.signal)))
      .catch(() => undefined);
    this.#ahead = { conversation, left };
  }

  /**
   * Takes the stream that was opened ahead, or opens one. Retries for the time that a connection may take, while the target seems
   * reachable.
   */
  async reach(): Promise<{ conversation: Conversation } | { error: unknown }> {
    const { line, timing, patience } = this.#options;
    const ahead = await this.#take(patience.within(timing.connectMs));
    if (ahead?.isOpen() === true) return { conversation: ahead };
    const signal = patience.within(timing.connectMs);
    for (;;) {
      try {
        return { conversation: await line.open(signal) };
      } catch (error) {
        if (signal.aborted || !line.maybeThere() || isMisfit(error)) return { error };
        await patience.pause(timing.backoffMs.first, signal);
        if (signal.aborted || !line.maybeThere()) return { error };
      }
    }
  }

  /** Closes what was opened ahead. */
  leave(): void {
    void this.#take(AbortSignal.abort());
  }

  /** The stream that was opened ahead, if it is ready in time; otherwise closes it. */
  async #take(signal: AbortSignal): Promise<Conversation | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead === undefined) return undefined;
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const leave = () => {
      resolve(undefined);
      ahead.left.abort();
      void ahead.conversation.then((conversation) => conversation?.close());
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    const taken = await Promise.race([late, ahead.conversation]);
    signal.removeEventListener('abort', leave);
    return taken;
  }
}

/** True if the target was reached, but its version does not take orders in this form: trying again is of no use. */
function isMisfit(error: unknown): boolean {
  return error instanceof DtkdError && error.code === 'VERSION_TOO_OLD';
}

/** Has the target make the order ready. Closes the conversation on an error, and when `left` aborts. Errors: as `prepare`. */
async function prepared(
  conversation: NewConversation,
  request: PrepareRequest,
  answerMs: number,
  left: AbortSignal,
): Promise<Conversation> {
  left.addEventListener('abort', () => conversation.close(), { once: true });
  try {
    await conversation.prepare(request, answerMs);
    return conversation;
  } catch (error) {
    conversation.close();
    throw error;
  }
}
