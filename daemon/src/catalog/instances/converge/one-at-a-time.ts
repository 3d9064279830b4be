/** One thing at a time for each instance: what is planned is then carried out as it was planned. */
export class OneAtATime {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Waits for those who came before. */
  alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#last.get(name) ?? Promise.resolve()).then(work);
    const done = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(name, done);
    void done.then(() => {
      if (this.#last.get(name) === done) this.#last.delete(name);
    });
    return mine;
  }
}
