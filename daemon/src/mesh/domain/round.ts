/**
 * Takes everybody who is present once, in random order, before it takes anybody again. A draw each time would pass over the same one again
 * and again: of six neighbours it misses a given one in six draws in every third case.
 */
export class Round<T> {
  #done = new Set<T>();
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The next one that is to be taken; who came meanwhile is in this round, who is gone is forgotten. */
  next(present: Iterable<T>, isToBeTaken: (each: T) => boolean = () => true): T | undefined {
    const all = [...new Set(present)];
    this.#done = new Set(all.filter((each) => this.#done.has(each)));
    const wanted = all.filter(isToBeTaken);
    if (wanted.every((each) => this.#done.has(each))) this.#done.clear();
    const left = wanted.filter((each) => !this.#done.has(each));
    const chosen = left[Math.floor(this.#random() * left.length)];
    if (chosen !== undefined) this.#done.add(chosen);
    return chosen;
  }
}
