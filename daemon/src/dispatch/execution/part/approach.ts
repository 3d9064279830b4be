/**
 * Reaches one target: opens a stream when it is its turn, or before, so that the target may make the order ready on it. Nothing is started by that, and all of it can be let go
 * of. Tries for as long as a connection may take, and says nothing itself but the order that is to be ready.
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
  /** What was opened before its turn; `left`: nobody wants it any more. */
  #ahead: { conversation: Promise<Conversation | undefined>; left: AbortController } | undefined;

  constructor(options: ApproachOptions) {
    this.#options = options;
  }

  /** Opens a stream before its turn, once. `ready`: what the target is to make ready on it. What comes to nothing is tried again by whoever has the turn. */
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

  /** Opens a stream, as often as it fails within the time that a connection may take while the target seems to be there. */
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

  /** Nothing is said on what was opened any more. */
  leave(): void {
    void this.#take(AbortSignal.abort());
  }

  /** What was opened before, if it is there in time; else it is let go of. */
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

/** It was reached, and its version does not take orders as this one brings them: it would not later either. */
function isMisfit(error: unknown): boolean {
  return error instanceof DtkdError && error.code === 'VERSION_TOO_OLD';
}

/** Errors: as `prepare`; the conversation is closed then, and as soon as it is left. */
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
