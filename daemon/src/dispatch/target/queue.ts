/**
 * Turns for parts: a limited number at a time, round-robin over the starters, so that one that sends hundreds does not keep the others
 * waiting. Parts of one starter go in order of arrival.
 */

export class PartQueue<T> {
  readonly #waiting = new Map<string, T[]>();
  #running = 0;
  #count = 0;

  /** Number of waiting items, of one starter or of all. */
  waiting(starter?: string): number {
    return starter === undefined ? this.#count : (this.#waiting.get(starter)?.length ?? 0);
  }

  get running(): number {
    return this.#running;
  }

  /** Takes a turn if one is free and nobody waits for it. */
  takeNow(limit: number): boolean {
    if (this.#running >= limit || this.#count > 0) return false;
    this.#running += 1;
    return true;
  }

  /** Counts an item that already runs, whatever the limit. */
  takeAnyway(): void {
    this.#running += 1;
  }

  add(starter: string, item: T): void {
    const own = this.#waiting.get(starter);
    if (own === undefined) this.#waiting.set(starter, [item]);
    else own.push(item);
    this.#count += 1;
  }

  /** Removes a waiting item; false if it does not wait. */
  remove(starter: string, item: T): boolean {
    const own = this.#waiting.get(starter);
    const at = own?.indexOf(item) ?? -1;
    if (own === undefined || at < 0) return false;
    own.splice(at, 1);
    if (own.length === 0) this.#waiting.delete(starter);
    this.#count -= 1;
    return true;
  }

  /** Takes the item whose turn it is; it counts as running from here on. */
  next(limit: number): T | undefined {
    if (this.#running >= limit) return undefined;
    for (const [starter, own] of this.#waiting) {
      const item = own.shift();
      // to the end of the round
      this.#waiting.delete(starter);
      if (own.length > 0) this.#waiting.set(starter, own);
      if (item === undefined) continue;
      this.#count -= 1;
      this.#running += 1;
      return item;
    }
    return undefined;
  }

  /** Ends a turn. */
  done(): void {
    this.#running -= 1;
  }
}
