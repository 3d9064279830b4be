/** What has to be ended: in reverse, when the daemon stops, and after a start that failed, so that it leaves nothing behind. */
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

  /** Starts a part that is to be stopped. */
  async start(part: { start(): void | Promise<void>; stop: Stop }): Promise<void> {
    await part.start();
    this.push(() => part.stop());
  }

  /** A part that does not stop cleanly keeps no other from stopping. */
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
