/**
 * When a node that was put back from a backup has heard enough of what it did after that: from all other members; or from one at least, while no other has told
 * anything for a while. One member alone may have been away itself. Pure: who was heard, and when, is told.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { REUNION_QUIET_MS } from './limits.ts';

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

  isOver(others: Iterable<PeerKey>, now: number): boolean {
    const unheard = [...others].filter((peer) => !this.#heard.has(peer));
    return unheard.length === 0 || (this.#heard.size > 0 && now - this.#lastNew >= REUNION_QUIET_MS);
  }
}
