/**
 * When a node that was put back from a backup has heard enough of what it did after that: from all other members; or from one at least, while no other has told
 * anything for a while. One member alone may have been away itself. Pure: who was heard, and when, is told.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { REUNION_DOUBT_MS, REUNION_QUIET_MS } from './limits.ts';

/** What is known of a state of our own that others say they have, and that is not taken in. */
export interface Rumour {
  /** There is none. */
  isQuiet: boolean;
  /** All of one is here, and only has to be stored. */
  isWhole: boolean;
  /** When something of it came last that never came before. Milliseconds. */
  gainedAt: number;
}

export class Reunion {
  readonly #heard = new Set<PeerKey>();
  #lastNew = 0;

  /** All that the member has of our log is here. `now`: milliseconds. */
  heard(peer: PeerKey, now: number): void {
    if (this.#heard.has(peer)) return;
    this.#heard.add(peer);
    this.#lastNew = now;
  }

  /** How many were heard. */
  get size(): number {
    return this.#heard.size;
  }

  /** What one of them says to have and never gives holds nothing back for long: it may be a lie, told anew each time. */
  isOver(others: Iterable<PeerKey>, now: number, { isQuiet, isWhole, gainedAt }: Rumour): boolean {
    const all = [...others];
    const unheard = all.filter((peer) => !this.#heard.has(peer));
    // one who does not count any more, as a suspended one, has told nothing
    const isHeard = unheard.length === 0 || (unheard.length < all.length && now - this.#lastNew >= REUNION_QUIET_MS);
    return isHeard && (isQuiet || (!isWhole && now - Math.max(this.#lastNew, gainedAt) >= REUNION_DOUBT_MS));
  }
}
