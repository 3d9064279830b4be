/** One timer for the next grant that ends. Decisions look at the time themselves; this only tells that something has changed. */
import type { FactBook } from './fact-book.ts';

/** Longer waits overflow the timer; it then looks again. Milliseconds. */
const MAX_WAIT_MS = 2 ** 31 - 1;

export class ExpiryTimer {
  readonly #now: () => number;
  readonly #book: FactBook;
  readonly #onExpiry: () => void;
  #timer: NodeJS.Timeout | undefined;
  #due: number | undefined;

  constructor(now: () => number, book: FactBook, onExpiry: () => void) {
    this.#now = now;
    this.#book = book;
    this.#onExpiry = onExpiry;
  }

  /** To be called when grants may have changed. */
  arm(): void {
    const now = this.#now();
    // what has run out since the last look is told of, also if this was called before the timer
    const due = this.#due !== undefined && this.#due <= now ? this.#due : this.#book.nextExpiry(now);
    if (due === this.#due && this.#timer !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = due;
    if (due === undefined) return;
    this.#timer = setTimeout(() => this.#fire(), Math.min(Math.max(due - now, 0), MAX_WAIT_MS));
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    const ended = this.#due !== undefined && this.#due <= this.#now();
    if (ended) this.#due = undefined;
    this.arm();
    if (ended) this.#onExpiry();
  }
}
