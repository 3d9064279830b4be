/**
 * Tells dead connections: a cable that was pulled, a machine that froze. TCP alone would take minutes, and a connection that waits in
 * TCP's own back-off would keep a healed partition apart.
 */
import type { Link } from '../host/host.types.ts';

export const PING_INTERVAL_MS = 3_000;
/**
 * Links that are pinged in one round, those first that were pinged longest ago: a small domain notices a dead one within seconds, and a
 * large one does not spend its time on pings.
 */
export const PINGS_A_ROUND = 12;
/** No healthy link takes so long. */
const PING_TIMEOUT_MS = 4_000;
/**
 * How late our own timer comes tells how busy the machine is, and the other side may be on the same one: each second of it gives the
 * others so many seconds more. Cutting connections of a busy machine would make it busier.
 */
const PATIENCE = 10;
const MAX_PING_TIMEOUT_MS = 30_000;
/** A calm round halves what is remembered of a busy one. */
const LAG_DECAY = 0.5;

export class Heartbeat {
  readonly #links: () => readonly Link[];
  readonly #pinged = new WeakMap<Link, number>();
  #timer: NodeJS.Timeout | undefined;
  #lag = 0;
  #round = 0;

  constructor(links: () => readonly Link[]) {
    this.#links = links;
  }

  start(): void {
    let expected = performance.now() + PING_INTERVAL_MS;
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#lag = Math.max(now - expected, this.#lag * LAG_DECAY);
      expected = now + PING_INTERVAL_MS;
      for (const link of this.#next()) void this.#check(link);
    }, PING_INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #next(): Link[] {
    this.#round += 1;
    const last = (link: Link): number => this.#pinged.get(link) ?? 0;
    const next = [...this.#links()].sort((a, b) => last(a) - last(b)).slice(0, PINGS_A_ROUND);
    for (const link of next) this.#pinged.set(link, this.#round);
    return next;
  }

  async #check(link: Link): Promise<void> {
    try {
      await link.ping(Math.min(PING_TIMEOUT_MS + PATIENCE * this.#lag, MAX_PING_TIMEOUT_MS));
    } catch {
      if (!link.closed) link.abort('it does not answer');
    }
  }
}
