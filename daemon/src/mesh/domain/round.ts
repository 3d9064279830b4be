/**
 * Takes everybody present once, in random order, before taking anybody again. Independent draws would neglect some: six draws among six
 * neighbours miss a given one in a third of all cases.
 */
export class Round<T> {
  #done = new Set<T>();
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The next one to take. Newcomers join the present round; those that are gone are forgotten. */
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
