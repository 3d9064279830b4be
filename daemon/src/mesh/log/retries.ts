/** Repeats a task for a name, with growing delays, until it succeeds without being scheduled again. */
export class Retries {
  readonly #run: (name: string) => Promise<void>;
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #waiting = new Map<string, { timer: NodeJS.Timeout | undefined; ms: number }>();
  #stopped = false;

  constructor(options: { run: (name: string) => Promise<void>; firstMs: number; maxMs: number }) {
    this.#run = options.run;
    this.#firstMs = options.firstMs;
    this.#maxMs = options.maxMs;
  }

  schedule(name: string): void {
    const known = this.#waiting.get(name);
    if (this.#stopped || known?.timer !== undefined) return;
    const ms = known === undefined ? this.#firstMs : Math.min(known.ms * 2, this.#maxMs);
    const entry: { timer: NodeJS.Timeout | undefined; ms: number } = { timer: undefined, ms };
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      this.#run(name).then(
        () => {
          if (entry.timer === undefined && this.#waiting.get(name) === entry) this.#waiting.delete(name);
        },
        () => this.schedule(name),
      );
    }, ms);
    entry.timer.unref();
    this.#waiting.set(name, entry);
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }
}
