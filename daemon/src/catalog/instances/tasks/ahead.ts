/**
 * Has the commands of a task prepared that come next, one after the other, while those before them run: what is left when a place is free is to start them. Waits for the
 * machine to be calm, since what is started and what ends goes first. Starts nothing itself, and keeps no more than may run at a time. What cannot be prepared is refused
 * when it is started, by whoever starts it.
 */
import type { PreparedCommand } from '../instances.types.ts';
import { CALM_MS } from './limits.ts';

export interface AheadOptions {
  /** Numbers of the steps that come next; none while there is something better to do. */
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

  /** Something has been started: there may be time soon. */
  look(): void {
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => {
      this.#calm = undefined;
      this.#prepare();
    }, CALM_MS).unref();
  }

  /** What was prepared for a step that is started now, once. */
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
