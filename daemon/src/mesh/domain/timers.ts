/** Timers that end with their owner. */
export class Timers {
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  /** Runs it once, unless stopped before. */
  later(run: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#stopped) run();
    }, ms);
    this.#timers.add(timer);
  }

  /** Runs it again and again, so long after each time; `ms` may differ from time to time. */
  repeat(run: () => void, ms: () => number): void {
    this.later(() => {
      run();
      this.repeat(run, ms);
    }, ms());
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
