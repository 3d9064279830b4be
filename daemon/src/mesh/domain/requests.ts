/** Members that were asked for something lately, and those whose connection something depends on. Bounded; no timers, no I/O. */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { IDLE_MS } from './connection-choice.ts';

/** Members remembered. Beyond this the one asked longest ago is forgotten, which only makes its redial slower. */
export const MAX_REQUESTED = 256;

export class Requests {
  readonly #at = new Map<PeerKey, number>();
  readonly #holds = new Map<PeerKey, number>();

  note(peer: PeerKey, now: number): void {
    this.#at.delete(peer);
    this.#at.set(peer, now);
    const oldest = this.#at.keys().next();
    if (this.#at.size > MAX_REQUESTED && oldest.done === false) this.#at.delete(oldest.value);
  }

  has(peer: PeerKey): boolean {
    return this.#at.has(peer);
  }

  drop(peer: PeerKey): void {
    this.#at.delete(peer);
  }

  /** When the member was last asked for something. */
  lastAsked(peer: PeerKey): number | undefined {
    return this.#at.get(peer);
  }

  /** Members asked within the time for which connections are kept; forgets the others. */
  current(now: number, isMember: (peer: PeerKey) => boolean): PeerKey[] {
    for (const [peer, at] of this.#at) if (now - at >= IDLE_MS || !isMember(peer)) this.#at.delete(peer);
    return [...this.#at.keys()];
  }

  /** Notes that something outside the connection depends on it. Returns a function that ends this; further calls of it do nothing. */
  hold(peer: PeerKey): () => void {
    this.#holds.set(peer, (this.#holds.get(peer) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = (this.#holds.get(peer) ?? 1) - 1;
      if (left > 0) this.#holds.set(peer, left);
      else this.#holds.delete(peer);
    };
  }

  isHeld(peer: PeerKey): boolean {
    return this.#holds.has(peer);
  }
}
