/**
 * Detects dead connections: a pulled cable, a frozen machine. TCP alone would take minutes, and a connection in TCP's own back-off would
 * keep a healed partition apart. Any incoming data is a sign of life, and an answered ping is one for both sides: so the side that dialled
 * asks, and the other one only when no ping comes. Outgoing data is one, too: on a slow line a ping queues behind what was sent before it,
 * and the system takes more of that only as the other side acknowledges it.
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
/** A ping stands in line behind what the system has taken and not delivered yet: so much longer for it, as on a line of 256 kbit/s. */
const SLOW_LINE_BYTES_PER_MS = 32;
const MAX_IN_LINE_MS = 8_000;
/** Through a member of which we do not see how far it has passed on what we send. That one notices itself if the other end is gone. */
const RELAYED_PING_TIMEOUT_MS = 30_000;
/**
 * How late our own timer comes tells how busy the machine is, and the other side may be on the same one: each second of it gives the
 * others so many seconds more. Cutting connections of a busy machine would make it busier.
 */
const PATIENCE = 10;
const MAX_PING_TIMEOUT_MS = 30_000;

interface Watched {
  received: number | undefined;
  taken: number;
  /** What had been taken when a ping left that was answered: all of that has arrived. */
  proven: number;
  /** Something was waiting to be taken. */
  waiting: boolean;
  /** Looks that found a sign of life. */
  signs: number;
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
      const { received, sending } = link;
      const arrived = received !== undefined && received !== watched.received;
      const taken = sending?.taken ?? 0;
      const left = watched.waiting && taken !== watched.taken;
      if (watched.answered || arrived || left) watched.silent = 0;
      else watched.silent += 1;
      if (arrived || left) watched.signs += 1;
      Object.assign(watched, { received, taken, waiting: (sending?.waiting ?? 0) > 0, answered: false });
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
    const watched = known ?? {
      received: undefined,
      taken: 0,
      proven: 0,
      waiting: false,
      signs: 0,
      silent: 0,
      asked: false,
      answered: false,
    };
    if (known === undefined) this.#watched.set(link, watched);
    return watched;
  }

  async #check(link: Link): Promise<void> {
    const watched = this.#of(link);
    watched.asked = true;
    // A link on which the other side's ping is missing, too, has been given a look more already.
    const timeout = link.via === undefined ? PING_TIMEOUT_MS - (link.inbound ? LOOK_MS : 0) : RELAYED_PING_TIMEOUT_MS;
    const { signs, taken, proven } = watched;
    const inLine = Math.min((taken - proven) / SLOW_LINE_BYTES_PER_MS, MAX_IN_LINE_MS);
    try {
      await link.ping(Math.min(timeout + inLine + PATIENCE * this.#lag(), MAX_PING_TIMEOUT_MS));
      Object.assign(watched, { answered: true, proven: taken });
    } catch {
      if (!link.closed && watched.signs === signs) link.abort('it does not answer');
    } finally {
      watched.asked = false;
    }
  }
}
