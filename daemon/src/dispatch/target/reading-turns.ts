/** Turns to read and judge a request, so many at a time for each member, in the order in which they came. */
export class ReadingTurns {
  readonly #limit: number;
  readonly #taken = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Does it when it is its turn. */
  async inTurn<T>(who: string, run: () => Promise<T>): Promise<T> {
    await this.#take(who);
    try {
      return await run();
    } finally {
      this.#giveBack(who);
    }
  }

  #take(who: string): Promise<void> {
    const taken = this.#taken.get(who) ?? 0;
    if (taken < this.#limit) {
      this.#taken.set(who, taken + 1);
      return Promise.resolve();
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(who);
    if (waiting === undefined) this.#waiting.set(who, [resolve]);
    else waiting.push(resolve);
    return promise;
  }

  #giveBack(who: string): void {
    const waiting = this.#waiting.get(who);
    const next = waiting?.shift();
    if (waiting?.length === 0) this.#waiting.delete(who);
    if (next !== undefined) {
      next();
      return;
    }
    const left = (this.#taken.get(who) ?? 1) - 1;
    if (left > 0) this.#taken.set(who, left);
    else this.#taken.delete(who);
  }
}
