/**
 * Counts how often connections with each member were lost lately. One that comes back at once hides from users that something cuts it
 * again and again: a firewall, a NAT router, a bad line, a daemon that keeps crashing.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';

/** How long a loss is remembered. */
const KEPT_MS = 10 * 60_000;
/** So many within that time are often. Unused connections of large domains, closed after two minutes, never come to as many. */
const OFTEN = 6;
/** Losses remembered of one member: enough to tell a bad line from a useless one. */
const MAX_KEPT = 200;

/** Losses of connections with one member. */
export interface OftenLost {
  times: number;
  withinMs: number;
}

export class Losses {
  readonly #lost = new Map<PeerKey, number[]>();
  readonly #ticks: () => number;

  /** `ticks`: milliseconds on a monotonic clock. */
  constructor(ticks: () => number) {
    this.#ticks = ticks;
  }

  /** Counts a loss. Returns true if losses have become frequent by this one. */
  add(peer: PeerKey): boolean {
    const before = this.#lately(peer);
    this.#lost.set(peer, [...before, this.#ticks()].slice(-MAX_KEPT));
    return before.length === OFTEN - 1;
  }

  /** Undefined if they are not frequent. */
  often(peer: PeerKey): OftenLost | undefined {
    const times = this.#lately(peer).length;
    return times < OFTEN ? undefined : { times, withinMs: KEPT_MS };
  }

  forget(peer: PeerKey): void {
    this.#lost.delete(peer);
  }

  #lately(peer: PeerKey): number[] {
    const since = this.#ticks() - KEPT_MS;
    return (this.#lost.get(peer) ?? []).filter((at) => at > since);
  }
}
