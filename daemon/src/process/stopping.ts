/** The functions that stop parts, run in reverse order when the daemon stops, or after a failed start so that it leaves nothing behind. */
import type { Logger } from '../logging/logger.types.ts';

type Stop = () => void | Promise<void>;

export class Stops {
  readonly #logger: Logger;
  readonly #stops: Stop[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  push(stop: Stop): void {
    this.#stops.push(stop);
  }

  /** Starts a part and registers its stop. */
  async start(part: { start(): void | Promise<void>; stop: Stop }): Promise<void> {
    await part.start();
    this.push(() => part.stop());
  }

  /** Stops all parts in reverse order. One that fails to stop does not keep the others from stopping. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        this.#logger.warn({ err: error }, 'A part did not stop cleanly');
      }
    }
  }
}
