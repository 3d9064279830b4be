/**
 * One timer for the next grant that expires. Decisions check the time themselves; this reports the change to listeners. Callers that take
 * the time from here can rely on every expiry up to it having been reported.
 */
import type { FactBook } from './fact-book.ts';

/** Milliseconds after which it looks again at the latest, since clocks are set, and timers stand still while a machine sleeps. */
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

  /** The present time. Reports expiries up to it first, however late the timer is. */
  time(): number {
    const now = this.#now();
    if (this.#due !== undefined && this.#due <= now) this.#fire();
    return now;
  }

  /** Call it when grants may have changed. */
  arm(): void {
    const now = this.#now();
    // an expiry since the last look must be reported, even if this is called before the timer fires
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
