/**
 * One writer at a time for what is kept of each peer. A writer holds the peer's lease from before it asks until the answer is stored, so
 * that an earlier answer never overwrites a later one.
 */
import { Bell } from './bell.ts';

interface Held {
  following: boolean;
  freed: Promise<void>;
  stream?: symbol;
  /** The peer's version up to which its changes have been taken in, as far as known. */
  seen: number;
}

export class Leases {
  /** Rings when changes of a followed peer have come in, and when following begins or ends. */
  readonly progress = new Bell();
  readonly #held = new Map<string, Held>();

  /** True while somebody follows the peer's changes, and so keeps its rows current. */
  isFollowed(peer: string): boolean {
    return this.#held.get(peer)?.following === true;
  }

  /** The stream that now delivers all changes of the peer after what is kept; undefined if there is none. */
  streamOf(peer: string): symbol | undefined {
    return this.#held.get(peer)?.stream;
  }

  /** The follower of the peer calls this once changes after a version arrive. Returns a function to call when they no longer do. */
  streaming(peer: string, from: number): () => void {
    const held = this.#held.get(peer);
    if (held === undefined) return () => {};
    held.stream = Symbol(peer);
    held.seen = from;
    this.progress.ring();
    return () => {
      Reflect.deleteProperty(held, 'stream');
      this.progress.ring();
    };
  }

  /** Notes that the peer's changes up to a version have been taken in. */
  saw(peer: string, version: number): void {
    const held = this.#held.get(peer);
    if (held === undefined || version <= held.seen) return;
    held.seen = version;
    this.progress.ring();
  }

  /** The version up to which the stream's changes have been taken in. */
  seen(peer: string): number {
    return this.#held.get(peer)?.seen ?? 0;
  }

  /** Waits for the lease. Undefined if the signal aborts first, or if the peer is followed and `following` is not set. */
  async take(peer: string, signal: AbortSignal, following = false): Promise<(() => void) | undefined> {
    for (let held = this.#held.get(peer); held !== undefined; held = this.#held.get(peer)) {
      if (signal.aborted || (held.following && !following)) return undefined;
      await freedOr(held.freed, signal);
    }
    return signal.aborted ? undefined : this.#take(peer, following);
  }

  /** Returns the lease if it is free. */
  tryTake(peer: string): (() => void) | undefined {
    return this.#held.has(peer) ? undefined : this.#take(peer, false);
  }

  #take(peer: string, following: boolean): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(peer, { following, freed: promise, seen: 0 });
    return () => {
      this.#held.delete(peer);
      resolve();
      this.progress.ring();
    };
  }
}

/** Leaves no listener on the signal, which may live for as long as a peer is followed. */
async function freedOr(freed: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  signal.addEventListener('abort', wake, { once: true });
  freed.then(wake, wake);
  await promise;
  signal.removeEventListener('abort', wake);
}
