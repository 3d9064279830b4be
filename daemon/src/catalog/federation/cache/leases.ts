/**
 * One writer at a time for what is kept of each peer: whoever asks the peer holds its lease from before it asks until its answer is written,
 * so that what was read earlier never overwrites what was read later.
 */
import { Bell } from './bell.ts';

interface Held {
  following: boolean;
  freed: Promise<void>;
  stream?: symbol;
  /** The peer's version up to which its changes were taken in, as far as that is known. */
  seen: number;
}

export class Leases {
  /** Rings when more has come in of a peer that is followed, and when following begins or ends. */
  readonly progress = new Bell();
  readonly #held = new Map<string, Held>();

  /** True while somebody follows the peer's changes, and so keeps its rows right. */
  isFollowed(peer: string): boolean {
    return this.#held.get(peer)?.following === true;
  }

  /** The stream by which all changes of the peer after what is kept come in now; undefined while there is none. */
  streamOf(peer: string): symbol | undefined {
    return this.#held.get(peer)?.stream;
  }

  /** To be called by who follows the peer, once its changes after a version come in; returns what to call when they do no more. */
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

  /** Up to where its changes have been taken in by the stream. */
  seen(peer: string): number {
    return this.#held.get(peer)?.seen ?? 0;
  }

  /** Waits for the lease; undefined if the signal aborts before, or if the peer is followed and `following` is not asked for. */
  async take(peer: string, signal: AbortSignal, following = false): Promise<(() => void) | undefined> {
    for (let held = this.#held.get(peer); held !== undefined; held = this.#held.get(peer)) {
      if (signal.aborted || (held.following && !following)) return undefined;
      await freedOr(held.freed, signal);
    }
    return signal.aborted ? undefined : this.#take(peer, following);
  }

  /** The lease, if nobody has it. */
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

/** Leaves nothing at the signal, which may live for as long as a peer is followed. */
async function freedOr(freed: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  signal.addEventListener('abort', wake, { once: true });
  freed.then(wake, wake);
  await promise;
  signal.removeEventListener('abort', wake);
}
