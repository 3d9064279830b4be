/** Timers that end with their owner. */
export class Timers {
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  /** Runs it once after the delay, unless stopped before. */
  later(run: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#stopped) run();
    }, ms);
    this.#timers.add(timer);
  }

  /** Runs it repeatedly, `ms()` after the previous run. */
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
