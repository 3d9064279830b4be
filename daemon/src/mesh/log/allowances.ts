/**
 * How much work each author may make for this node: so much at once as its whole log may take several times over, and then at a rate that leaves most of a slow
 * machine to others. Beyond, its entries are not taken for now; they come again by synchronisation. Knows no entries, and keeps nothing over a restart.
 */
import { AUTHOR_WORK, AUTHOR_WORK_PER_SECOND } from './limits.ts';

/** Work at once, and in each second after that. */
export interface WorkLimits {
  atOnce: number;
  perSecond: number;
  /** Milliseconds on a clock that nobody sets. */
  ticks(): number;
}

const USUAL: WorkLimits = { atOnce: AUTHOR_WORK, perSecond: AUTHOR_WORK_PER_SECOND, ticks: () => performance.now() };

export class Allowances<Author> {
  readonly #limits: WorkLimits;
  readonly #left = new Map<Author, { work: number; at: number }>();

  constructor(limits = USUAL) {
    this.#limits = limits;
  }

  /** What was begun may take more than is left; then there is none for a while. */
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
