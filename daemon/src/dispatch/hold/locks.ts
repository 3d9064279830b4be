/** What concerns one name is done one after the other. */
export class Locks {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does it when all before it of that name has been done, or has failed. Errors: its own. */
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
