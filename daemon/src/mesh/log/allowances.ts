/**
 * How much work each author may cause at this node: a burst of several times its whole log, then a rate that leaves most of a slow machine
 * to others. Entries of an author that has none left are not taken for now; synchronisation brings them again. Does not look into entries,
 * and keeps nothing over a restart.
 */
import { AUTHOR_WORK, AUTHOR_WORK_PER_SECOND } from './limits.ts';

/** Work allowed at once, and then per second. */
export interface WorkLimits {
  atOnce: number;
  perSecond: number;
  /** Milliseconds on a monotonic clock. */
  ticks(): number;
}

const USUAL: WorkLimits = { atOnce: AUTHOR_WORK, perSecond: AUTHOR_WORK_PER_SECOND, ticks: () => performance.now() };

export class Allowances<Author> {
  readonly #limits: WorkLimits;
  readonly #left = new Map<Author, { work: number; at: number }>();

  constructor(limits = USUAL) {
    this.#limits = limits;
  }

  /** True while anything is left. A piece of work may take more than that; then nothing is left for a while. */
  has(author: Author): boolean {
    return this.#leftOf(author) > 0;
  }

  spend(author: Author, work: number): void {
    this.#left.set(author, { work: this.#leftOf(author) - work, at: this.#limits.ticks() });
  }

  forget(author: Author): void {
    this.#left.delete(author);
  }

  #leftOf(author: Author): number {
    const { atOnce, perSecond, ticks } = this.#limits;
    const known = this.#left.get(author);
    return known === undefined ? atOnce : Math.min(atOnce, known.work + ((ticks() - known.at) / 1000) * perSecond);
  }
}
