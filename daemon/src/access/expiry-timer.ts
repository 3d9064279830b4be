/**
 * One timer for the next grant that ends. Decisions look at the time themselves; this tells that something has changed, and whoever asks it for the
 * time is not ahead of what it has told.
 */
import type { FactBook } from './fact-book.ts';

/** It then looks again: clocks are set, and timers stand still while a machine sleeps. Milliseconds. */
const MAX_WAIT_MS = 60_000;

export class ExpiryTimer {
  readonly #now: () => number;
  readonly #book: Pick<FactBook, 'nextExpiry'>;
  readonly #onExpiry: () => void;
  #timer: NodeJS.Timeout | undefined;
  #due: number | undefined;

  constructor(now: () => number, book: Pick<FactBook, 'nextExpiry'>, onExpiry: () => void) {
    this.#now = now;
    this.#book = book;
    this.#onExpiry = onExpiry;
  }

  /** The present time; what has run out by then is told of first, however late the timer is. */
  time(): number {
    const now = this.#now();
    if (this.#due !== undefined && this.#due <= now) this.#fire();
    return now;
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
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ended = this.#due !== undefined && this.#due <= this.#now();
    if (ended) this.#due = undefined;
    this.arm();
    if (ended) this.#onExpiry();
  }
}
