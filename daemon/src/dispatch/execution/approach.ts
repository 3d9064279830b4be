/**
 * Reaches one target: opens a stream when it is its turn, or before, so that the target may make the order ready on it. Nothing is started by that, and all of it can be let go
 * of. Tries for as long as a connection may take, and says nothing itself but the order that is to be ready.
 */
import type { Conversation, NewConversation, PrepareRequest } from './conversation.ts';
import type { Timing } from './limits.ts';
import type { Line } from './part-driver.types.ts';
import type { Patience } from './patience.ts';

export interface ApproachOptions {
  line: Line;
  timing: Pick<Timing, 'connectMs' | 'answerMs' | 'backoffMs'>;
  patience: Patience;
}

export class Approach {
  readonly #options: ApproachOptions;
  #conversation: Promise<Conversation | undefined> | undefined;

  constructor(options: ApproachOptions) {
    this.#options = options;
  }

  /** Opens a stream before its turn, once. `ready`: what the target is to make ready on it. What comes to nothing is tried again by whoever has the turn. */
  begin(ready: PrepareRequest | undefined): void {
    const { line, patience, timing } = this.#options;
    if (!line.maybeThere()) return;
    this.#conversation ??= line
      .open(patience.within(timing.connectMs))
      .then((conversation) => (ready === undefined ? conversation : prepared(conversation, ready, timing.answerMs)))
      .catch(() => undefined);
  }

  /** Opens a stream, as often as it fails within the time that a connection may take while the target seems to be there. */
  async reach(): Promise<{ conversation: Conversation } | { error: unknown }> {
    const { line, timing, patience } = this.#options;
    const signal = patience.within(timing.connectMs);
    const ahead = await this.#take();
    if (ahead?.isOpen() === true) return { conversation: ahead };
    for (;;) {
      try {
        return { conversation: await line.open(signal) };
      } catch (error) {
        if (signal.aborted || !line.maybeThere()) return { error };
        await patience.pause(timing.backoffMs.first, signal);
        if (signal.aborted || !line.maybeThere()) return { error };
      }
    }
  }

  /** Nothing is said on what was opened any more. */
  leave(): void {
    void this.#take()?.then((conversation) => conversation?.close());
  }

  #take(): Promise<Conversation | undefined> | undefined {
    const conversation = this.#conversation;
    this.#conversation = undefined;
    return conversation;
  }
}

async function prepared(conversation: NewConversation, request: PrepareRequest, answerMs: number): Promise<Conversation> {
  try {
    await conversation.prepare(request, answerMs);
    return conversation;
  } catch (error) {
    conversation.close();
    throw error;
  }
}
