/** Runs tasks of one name one after another, and tasks of different names concurrently. Counts those that wait. */
export class Serial {
  readonly #lines = new Map<string, { tail: Promise<unknown>; waiting: number }>();

  /** Number of tasks of that name that have not ended. */
  waiting(name: string): number {
    return this.#lines.get(name)?.waiting ?? 0;
  }

  run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(name) ?? { tail: Promise.resolve(), waiting: 0 };
    this.#lines.set(name, line);
    line.waiting += 1;
    const result = line.tail.then(task);
    line.tail = result
      .catch(() => {})
      .then(() => {
        line.waiting -= 1;
        if (line.waiting === 0) this.#lines.delete(name);
      });
    return result;
  }

  /** Resolves once nothing waits. */
  async idle(): Promise<void> {
    while (this.#lines.size > 0) await Promise.all([...this.#lines.values()].map((line) => line.tail));
  }
}
