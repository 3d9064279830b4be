/** Waits between attempts, and time limits: the timers of one part. */
import { within } from '../../../signals/within.ts';
import { Bell } from '../bell.ts';
import type { Line } from './part-driver.types.ts';

/** The longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** A wait stops growing after this many doublings, whatever its limit. */
const MAX_DOUBLINGS = 16;

export class Patience {
  readonly #bell = new Bell();
  readonly #gone = new AbortController();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** Ends the present waits, so that the next attempt is made at once. */
  readonly look = (): void => this.#bell.ring();

  get isOver(): boolean {
    return this.#gone.signal.aborted;
  }

  /** Aborts when waiting is over for good. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  end(): void {
    this.clear();
    this.#gone.abort();
    this.#bell.ring();
  }

  /** Aborts after `ms`, or when waiting is over for good. */
  within(ms: number): AbortSignal {
    return within(ms, this.#gone.signal);
  }

  /** Sets a time limit, replacing the one with that name. */
  limit(name: string, ms: number, reached: () => void): void {
    this.unlimit(name);
    const timer = setTimeout(reached, Math.min(Math.max(0, ms), MAX_TIMER_MS));
    timer.unref();
    this.#timers.set(name, timer);
  }

  unlimit(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  clear(): void {
    for (const name of [...this.#timers.keys()]) this.unlimit(name);
  }

  /** Resolves after `ms`, at the next `look`, or when `signal` aborts. */
  readonly pause = async (ms: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => resolve();
    const timer = setTimeout(end, Math.min(ms, MAX_TIMER_MS));
    signal.addEventListener('abort', end, { once: true });
    await Promise.race([promise, this.#bell.next()]);
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  };

  /** Waits before an attempt, longer each time. Returns early with true if the target may have become reachable. */
  async before(
    attempt: number,
    line: Pick<Line, 'maybeThere' | 'onChange'>,
    { first, last, most }: { first: number; last: number; most: number },
  ): Promise<boolean> {
    const grown = Math.min(last, first * 2 ** Math.min(attempt, MAX_DOUBLINGS));
    // jitter, so that the parts of a large execution do not all try at once
    const spread = grown * (0.75 + Math.random() / 2);
    let there = false;
    const forget = line.onChange(() => {
      if (there || !line.maybeThere()) return;
      there = true;
      this.#bell.ring();
    });
    await this.pause(Math.min(spread, most), this.#gone.signal);
    forget();
    return there;
  }
}
