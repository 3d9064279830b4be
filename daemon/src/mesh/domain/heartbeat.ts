/**
 * Detects dead connections: a pulled cable, a frozen machine. TCP alone would take minutes, and a connection in TCP's own back-off would
 * keep a healed partition apart. Any incoming data is a sign of life, and an answered ping is one for both sides: so the side that dialled
 * asks, and the other one only when no ping comes.
 */
import type { Link } from '../host/host.types.ts';
import { currentLag, LOOK_MS, onLook } from '../host/patience.ts';

/** Looks from one sign of life to the next ping: a small domain notices a dead connection within seven seconds. */
export const LOOKS_A_PING = 3;
/** Connections for which a look is added to that: a large domain does not spend its time on pings. */
export const LINKS_A_LOOK = 4;
/** Pings at one look, those first of which nothing has come for longest. */
const PINGS_AT_ONCE = 12;
/** No healthy link takes so long. */
const PING_TIMEOUT_MS = 4_000;
/**
 * How late our own timer comes tells how busy the machine is, and the other side may be on the same one: each second of it gives the
 * others so many seconds more. Cutting connections of a busy machine would make it busier.
 */
const PATIENCE = 10;
const MAX_PING_TIMEOUT_MS = 30_000;

interface Watched {
  received: number | undefined;
  /** Looks since the last sign of life. */
  silent: number;
  asked: boolean;
  answered: boolean;
}

export class Heartbeat {
  readonly #links: () => readonly Link[];
  readonly #lag: () => number;
  readonly #watched = new WeakMap<Link, Watched>();
  #end: () => void = () => {};

  /** `lag`: how late timers come, in milliseconds. */
  constructor(links: () => readonly Link[], lag = currentLag) {
    this.#links = links;
    this.#lag = lag;
  }

  start(): void {
    this.#end = onLook(() => this.look());
  }

  stop(): void {
    this.#end();
  }

  /** Looks at what has arrived, and pings those of which nothing has for long. Called about once a second. */
  look(): void {
    for (const link of this.#silent()) void this.#check(link);
  }

  /** Those to be pinged now. */
  #silent(): Link[] {
    const links = this.#links();
    const looks = Math.max(LOOKS_A_PING, Math.ceil(links.length / LINKS_A_LOOK));
    const due: { link: Link; silent: number }[] = [];
    for (const link of links) {
      const watched = this.#of(link);
      const { received } = link;
      if (watched.answered || (received !== undefined && received !== watched.received)) watched.silent = 0;
      else watched.silent += 1;
      Object.assign(watched, { received, answered: false });
      const { silent, asked } = watched;
      if (!asked && silent >= looks - (link.inbound ? 0 : 1)) due.push({ link, silent });
    }
    return due
      .sort((a, b) => b.silent - a.silent)
      .slice(0, PINGS_AT_ONCE)
      .map(({ link }) => link);
  }

  #of(link: Link): Watched {
    const known = this.#watched.get(link);
    const watched = known ?? { received: undefined, silent: 0, asked: false, answered: false };
    if (known === undefined) this.#watched.set(link, watched);
    return watched;
  }

  async #check(link: Link): Promise<void> {
    const watched = this.#of(link);
    watched.asked = true;
    // A link on which the other side's ping is missing, too, has been given a look more already.
    const timeout = PING_TIMEOUT_MS - (link.inbound ? LOOK_MS : 0);
    try {
      await link.ping(Math.min(timeout + PATIENCE * this.#lag(), MAX_PING_TIMEOUT_MS));
      watched.answered = true;
    } catch {
      if (!link.closed) link.abort('it does not answer');
    } finally {
      watched.asked = false;
    }
  }
}
