/**
 * Prepares the next commands of a task, one after the other, while earlier ones run, so that a free place only needs a start.
 * Waits for a quiet moment, since commands that start or end go first. Starts nothing itself, and prepares no more than may run
 * at a time. A command that cannot be prepared fails later, when it is started.
 */
import type { PreparedCommand } from '../instances.types.ts';
import { CALM_MS } from './limits.ts';

export interface AheadOptions {
  /** Numbers of the steps that come next; empty while preparing would get in the way of starts. */
  next(): readonly string[];
  /** Undefined: the step has nothing to prepare. */
  prepare(number: string): Promise<PreparedCommand> | undefined;
}

export class Ahead {
  readonly #options: AheadOptions;
  readonly #prepared = new Map<string, Promise<PreparedCommand | undefined>>();
  #calm: NodeJS.Timeout | undefined;
  #busy = false;

  constructor(options: AheadOptions) {
    this.#options = options;
  }

  /** Call after each start: prepares the next command once things have been quiet for CALM_MS. */
  look(): void {
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => {
      this.#calm = undefined;
      this.#prepare();
    }, CALM_MS).unref();
  }

  /** Returns, once, what was prepared for a step that is about to start. */
  take(number: string): Promise<PreparedCommand | undefined> | undefined {
    const prepared = this.#prepared.get(number);
    this.#prepared.delete(number);
    return prepared;
  }

  #prepare(): void {
    if (this.#busy || this.#calm !== undefined) return;
    const number = this.#options.next().find((one) => !this.#prepared.has(one));
    if (number === undefined) return;
    this.#busy = true;
    const prepared = Promise.resolve(this.#options.prepare(number)).catch(() => undefined);
    this.#prepared.set(number, prepared);
    void prepared.then(() => {
      this.#busy = false;
      this.#prepare();
    });
  }
}
