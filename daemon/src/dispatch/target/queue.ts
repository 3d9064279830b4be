/**
 * Turns for parts: so many at a time, the starters one after another, so that one that sends hundreds does not keep the others waiting.
 * Within a starter in the order in which they came.
 */

export class PartQueue<T> {
  readonly #waiting = new Map<string, T[]>();
  #running = 0;
  #count = 0;

  /** Those that wait, of a starter or of all. */
  waiting(starter?: string): number {
    return starter === undefined ? this.#count : (this.#waiting.get(starter)?.length ?? 0);
  }

  get running(): number {
    return this.#running;
  }

  /** Takes a turn at once, if there is one and nobody waits for it. */
  takeNow(limit: number): boolean {
    if (this.#running >= limit || this.#count > 0) return false;
    this.#running += 1;
    return true;
  }

  /** Counts one that runs already, whatever the limit. */
  takeAnyway(): void {
    this.#running += 1;
  }

  add(starter: string, item: T): void {
    const own = this.#waiting.get(starter);
    if (own === undefined) this.#waiting.set(starter, [item]);
    else own.push(item);
    this.#count += 1;
  }

  /** Takes out one that waits; false if it does not. */
  remove(starter: string, item: T): boolean {
    const own = this.#waiting.get(starter);
    const at = own?.indexOf(item) ?? -1;
    if (own === undefined || at < 0) return false;
    own.splice(at, 1);
    if (own.length === 0) this.#waiting.delete(starter);
    this.#count -= 1;
    return true;
  }

  /** Whose turn it is now: it counts as running from here on. */
  next(limit: number): T | undefined {
    if (this.#running >= limit) return undefined;
    for (const [starter, own] of this.#waiting) {
      const item = own.shift();
      // To the end of the round.
      this.#waiting.delete(starter);
      if (own.length > 0) this.#waiting.set(starter, own);
      if (item === undefined) continue;
      this.#count -= 1;
      this.#running += 1;
      return item;
    }
    return undefined;
  }

  /** A turn is over. */
  done(): void {
    this.#running -= 1;
  }
}
