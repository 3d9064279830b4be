/**
 * One writer at a time for what is kept of each peer: whoever asks the peer holds its lease from before it asks until its answer is written,
 * so that what was read earlier never overwrites what was read later.
 */
export class Leases {
  readonly #held = new Map<string, { following: boolean; freed: Promise<void>; stream?: symbol }>();

  /** True while somebody follows the peer's changes, and so keeps its rows right. */
  isFollowed(peer: string): boolean {
    return this.#held.get(peer)?.following === true;
  }

  /** The stream by which all changes of the peer after what is kept come in now; undefined while there is none. */
  streamOf(peer: string): symbol | undefined {
    return this.#held.get(peer)?.stream;
  }

  /** To be called by who follows the peer, once its changes come in; returns what to call when they do no more. */
  streaming(peer: string): () => void {
    const held = this.#held.get(peer);
    if (held === undefined) return () => {};
    held.stream = Symbol(peer);
    return () => Reflect.deleteProperty(held, 'stream');
  }

  /** Waits for the lease; undefined if the signal aborts before, or if the peer is followed and `following` is not asked for. */
  async take(peer: string, signal: AbortSignal, following = false): Promise<(() => void) | undefined> {
    for (let held = this.#held.get(peer); held !== undefined; held = this.#held.get(peer)) {
      if (signal.aborted || (held.following && !following)) return undefined;
      await Promise.race([held.freed, aborted(signal)]);
    }
    return signal.aborted ? undefined : this.#take(peer, following);
  }

  /** The lease, if nobody has it. */
  tryTake(peer: string): (() => void) | undefined {
    return this.#held.has(peer) ? undefined : this.#take(peer, false);
  }

  #take(peer: string, following: boolean): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(peer, { following, freed: promise });
    return () => {
      this.#held.delete(peer);
      resolve();
    };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
