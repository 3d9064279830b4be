/**
 * Executions that are made before they begin: their targets have the orders and wait for the word. Nothing of them is stored. One that does not begin soon is let go of, as if it
 * had never been.
 */
import type { Run } from './run.ts';

/** What is made before its turn. */
interface Made {
  run: Pick<Run, 'approach' | 'close'>;
}

export class RunsAhead {
  readonly #runs = new Set<{ made: Made; timer: NodeJS.Timeout }>();
  #stopped = false;

  /** Has its targets make it ready, and keeps it for so long. The answer gives it away once; undefined if it was let go of. */
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
