/** Counts how long something took: a few plain numbers, cheap enough for hot paths. */

/**
 * Upper bounds in seconds, for work on this machine and for what crosses a network. There are few, because each adds a time series
 * for every peer or verb.
 */
export const LOCAL_BOUNDS: readonly number[] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5];
export const NETWORK_BOUNDS: readonly number[] = [0.005, 0.025, 0.1, 0.5, 2];

/** A histogram: how many took at most each bound, how many there were, and how long all took together. */
export interface DurationCounts {
  bounds: readonly number[];
  atMost: readonly number[];
  count: number;
  /** Seconds. */
  sum: number;
}

export class Durations {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sumMs = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  /** Adds one that took `ms` milliseconds. */
  add(ms: number): void {
    this.#count += 1;
    this.#sumMs += ms;
    const seconds = ms / 1000;
    for (let index = 0; index < this.#bounds.length; index += 1) {
      if (seconds > (this.#bounds[index] ?? 0)) continue;
      this.#counts[index] = (this.#counts[index] ?? 0) + 1;
      return;
    }
  }

  counts(): DurationCounts {
    let sum = 0;
    const atMost = this.#counts.map((count) => {
      sum += count;
      return sum;
    });
    return { bounds: this.#bounds, atMost, count: this.#count, sum: this.#sumMs / 1000 };
  }
}
