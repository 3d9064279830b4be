/**
 * Executions that are made before they begin: their targets have the orders and wait for the word to start. Stores nothing. One that does
 * not begin soon is dropped as if it had never been.
 */
import type { Run } from './run.ts';

/** An execution that is made ahead. */
interface Made {
  run: Pick<Run, 'approach' | 'close'>;
}

export class RunsAhead {
  readonly #runs = new Set<{ made: Made; timer: NodeJS.Timeout }>();
  #stopped = false;

  /**
   * Lets the targets make their orders ready, and keeps the execution for `ms`. The returned function hands it over once if `wanted`,
   * else drops it; undefined if it is gone.
   */
  keep<T extends Made>(made: T, ms: number): (wanted: boolean) => T | undefined {
    const entry = { made, timer: setTimeout(() => this.#leave(entry), ms).unref() };
    this.#runs.add(entry);
    if (this.#stopped) this.#leave(entry);
    else made.run.approach(true);
    return (wanted) => {
      if (!this.#runs.has(entry)) return undefined;
      if (!wanted) {
        this.#leave(entry);
        return undefined;
      }
      this.#forget(entry);
      return made;
    };
  }

  stop(): void {
    this.#stopped = true;
    for (const entry of [...this.#runs]) this.#leave(entry);
  }

  #leave(entry: { made: Made; timer: NodeJS.Timeout }): void {
    this.#forget(entry);
    void entry.made.run.close();
  }

  #forget(entry: { made: Made; timer: NodeJS.Timeout }): void {
    clearTimeout(entry.timer);
    this.#runs.delete(entry);
  }
}
