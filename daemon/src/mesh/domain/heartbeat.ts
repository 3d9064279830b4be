/**
 * Detects dead connections: a pulled cable, a frozen machine. TCP alone would take minutes, and a connection in TCP's own back-off would
 * keep a healed partition apart. Any incoming data is a sign of life, and an answered ping is one for both sides; so the dialling side
 * pings, and the other one only when no ping comes. Outgoing data counts too: on a slow line a ping queues behind earlier data, of which
 * the system takes more only as the other side acknowledges it.
 */
import type { Link } from '../host/host.types.ts';
import { currentLag, LOOK_MS, onLook } from '../host/patience.ts';

/** Looks without a sign of life before a ping: a small domain notices a dead connection within seven seconds. */
export const LOOKS_A_PING = 3;
/** With many connections, one look per this many of them: a large domain does not spend its time on pings. */
export const LINKS_A_LOOK = 4;
/** Pings per look, to the connections that have been silent longest. */
const PINGS_AT_ONCE = 12;
/** Longer than any healthy link takes. */
const PING_TIMEOUT_MS = 4_000;
/**
 * A ping queues behind data that the system has taken and not yet delivered. It gets as much longer as a line of 256 kbit/s needs for
 * that.
 */
const SLOW_LINE_BYTES_PER_MS = 32;
const MAX_IN_LINE_MS = 8_000;
/** For relayed links: we do not see how much the relay has passed on. The relay itself notices if the other end is gone. */
const RELAYED_PING_TIMEOUT_MS = 30_000;
/**
 * The lateness of our own timers shows how busy the machine is, and the other side may run on the same one: each second of it gives a ping
 * this many more seconds. Cutting connections of a busy machine would make it busier.
 */
const PATIENCE = 10;
const MAX_PING_TIMEOUT_MS = 30_000;

interface Watched {
  received: number | undefined;
  taken: number;
  /** Bytes taken when the last answered ping was sent: all of them have arrived. */
  proven: number;
  /** True if bytes were waiting to be taken. */
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

  /** `lag`: how late timers fire, in milliseconds. */
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

  /** Checks what has arrived, and pings connections that have been silent for long. Called about once a second. */
  look(): void {
    for (const link of this.#silent()) void this.#check(link);
  }

  /** The connections to ping now. */
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
    // On an inbound link the other side's ping is missing too, so it has had an extra look already.
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
