/**
 * Decides when a node restored from a backup has heard enough of what it did after the backup: from all other members, or from at least
 * one while no other has told anything for a while. One member alone may have been away itself. Pure: callers report who was heard and
 * when.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { REUNION_DOUBT_MS, REUNION_QUIET_MS } from './limits.ts';

/** What is known of a state of our own log that others claim to have and that is not taken in. */
export interface Rumour {
  /** There is no such state. */
  isQuiet: boolean;
  /** All of one is here and only needs to be stored. */
  isWhole: boolean;
  /** When an entry of it last came that had never come before. Milliseconds. */
  gainedAt: number;
}

export class Reunion {
  readonly #heard = new Set<PeerKey>();
  #lastNew = 0;

  /** Reports that all that a member has of our log is here. `now`: milliseconds. */
  heard(peer: PeerKey, now: number): void {
    if (this.#heard.has(peer)) return;
    this.#heard.add(peer);
    this.#lastNew = now;
  }

  /** Number of members heard. */
  get size(): number {
    return this.#heard.size;
  }

  /** True once enough was heard. A state that members claim to have and never deliver delays this only for a while: it may be a lie. */
  isOver(others: Iterable<PeerKey>, now: number, { isQuiet, isWhole, gainedAt }: Rumour): boolean {
    const all = [...others];
    const unheard = all.filter((peer) => !this.#heard.has(peer));
    // Members that no longer count, such as suspended ones, are not among `others`, so that their word does not help here.
    const isHeard = unheard.length === 0 || (unheard.length < all.length && now - this.#lastNew >= REUNION_QUIET_MS);
    return isHeard && (isQuiet || (!isWhole && now - Math.max(this.#lastNew, gainedAt) >= REUNION_DOUBT_MS));
  }
}
