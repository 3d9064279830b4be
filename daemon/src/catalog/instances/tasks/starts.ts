/**
 * Limits how many of a task's commands are being started at a time, first come, first served. The first run while others are
 * still planned, and those that follow do not all arrive at once.
 */
export class Starts {
  readonly #all: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atATime: number) {
    this.#all = atATime;
    this.#free = atATime;
  }

  /** True if nothing is being started. */
  get idle(): boolean {
    return this.#free === this.#all;
  }

  /** Runs `work` when its turn comes. */
  async turn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // hand the turn over without freeing it in between
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
