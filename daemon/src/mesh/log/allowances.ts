/**
 * How much work each author may make for this node: so much at once as its whole log may take several times over, and then at a rate that leaves most of a slow
 * machine to others. Beyond, its entries are not taken for now; they come again by synchronisation. Knows no entries, and keeps nothing over a restart.
 */
import { AUTHOR_WORK, AUTHOR_WORK_PER_SECOND } from './limits.ts';

export class Allowances<Author> {
  readonly #ticks: () => number;
  readonly #left = new Map<Author, { work: number; at: number }>();

  /** `ticks`: milliseconds on a clock that nobody sets. */
  constructor(ticks: () => number = () => performance.now()) {
    this.#ticks = ticks;
  }

  /** What was begun may take more than is left; then there is none for a while. */
  has(author: Author): boolean {
    return this.#leftOf(author) > 0;
  }

  spend(author: Author, work: number): void {
    this.#left.set(author, { work: this.#leftOf(author) - work, at: this.#ticks() });
  }

  forget(author: Author): void {
    this.#left.delete(author);
  }

  #leftOf(author: Author): number {
    const known = this.#left.get(author);
    if (known === undefined) return AUTHOR_WORK;
    return Math.min(AUTHOR_WORK, known.work + ((this.#ticks() - known.at) / 1000) * AUTHOR_WORK_PER_SECOND);
  }
}
