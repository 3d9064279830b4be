/**
 * Tells dead connections: a cable that was pulled, a machine that froze. TCP alone would take minutes, and a connection that waits in
 * TCP's own back-off would keep a healed partition apart.
 */
import type { Link } from '../host/host.types.ts';

/** A ping is twelve bytes; 31 members make ten a second. */
const PING_INTERVAL_MS = 3_000;
/** No healthy link takes so long. */
const PING_TIMEOUT_MS = 4_000;

export class Heartbeat {
  readonly #links: () => readonly Link[];
  #timer: NodeJS.Timeout | undefined;

  constructor(links: () => readonly Link[]) {
    this.#links = links;
  }

  start(): void {
    this.#timer = setInterval(() => {
      for (const link of this.#links()) void this.#check(link);
    }, PING_INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #check(link: Link): Promise<void> {
    try {
      await link.ping(PING_TIMEOUT_MS);
    } catch {
      if (!link.closed) link.abort('it does not answer');
    }
  }
}
