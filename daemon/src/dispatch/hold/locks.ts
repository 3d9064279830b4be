/** Serialises operations by name. */
export class Locks {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs once all earlier operations of that name have settled. Errors: those of `run`. */
  async locked<T>(name: string, run: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = before.then(run, run);
    const settled = mine.catch(() => undefined);
    this.#last.set(name, settled);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === settled) this.#last.delete(name);
    }
  }
}
