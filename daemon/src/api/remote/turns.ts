/** Lets so many at a time go on, the others in the order in which they came. */
import { DtkdError } from '../../../../protocol/errors.ts';

export class Turns {
  readonly #atOnce: number;
  readonly #waitingAtMost: number;
  #running = 0;
  readonly #waiting = new Set<() => void>();

  constructor(atOnce: number, waitingAtMost: number) {
    this.#atOnce = atOnce;
    this.#waitingAtMost = waitingAtMost;
  }

  /** True if nobody runs or waits. */
  get idle(): boolean {
    return this.#running === 0 && this.#waiting.size === 0;
  }

  /** Resolves when it is the caller's turn, with the function that ends it. Throws the signal's reason if that comes first. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running < this.#atOnce) {
      this.#running += 1;
    } else {
      if (this.#waiting.size >= this.#waitingAtMost) {
        throw new DtkdError('TOO_MANY_REQUESTS', 'too many requests wait for the same node', { next: 'Try again in a moment.' });
      }
      await this.#wait(signal);
    }
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#pass();
    };
  }

  /** The turn that ends goes to whoever waits longest. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const turn = () => resolve();
    const give = () => {
      if (this.#waiting.delete(turn)) reject(signal.reason);
    };
    this.#waiting.add(turn);
    signal.addEventListener('abort', give, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', give));
  }
}
