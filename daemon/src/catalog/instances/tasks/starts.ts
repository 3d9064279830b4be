/**
 * Lets so many of a task's commands be started at a time, in the order in which they came: the first run while others are still planned, and what follows them does not
 * come all at once either.
 */
export class Starts {
  readonly #all: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atATime: number) {
    this.#all = atATime;
    this.#free = atATime;
  }

  /** Nothing is being started. */
  get idle(): boolean {
    return this.#free === this.#all;
  }

  /** Runs it when it is its turn. */
  async turn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // a turn goes on to the next one without becoming free in between
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
