/** Reads an asynchronous iterable element by element, and can be woken for another reason while it waits. */
export class Reader<T> {
  readonly #source: AsyncIterator<T>;
  #bell = Promise.withResolvers<void>();
  #asked = false;
  #result: { next: IteratorResult<T> } | { error: unknown } | undefined;

  constructor(source: AsyncIterable<T>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /**
   * The next element. Undefined if something else woke the reader, or if the element is not `wanted` any more; a later call then
   * returns it.
   */
  async next(wanted: () => boolean): Promise<IteratorResult<T> | undefined> {
    this.#ask();
    if (this.#result === undefined) {
      await this.#bell.promise;
      this.#bell = Promise.withResolvers<void>();
    }
    const result = this.#result;
    if (result === undefined || !wanted()) return undefined;
    this.#result = undefined;
    this.#asked = false;
    if ('error' in result) throw result.error;
    return result.next;
  }

  wake(): void {
    this.#bell.resolve();
  }

  /** Closes the source and ignores what it still yields. */
  close(): void {
    Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#source.next().then(
      (next) => this.#arrived({ next }),
      (error: unknown) => this.#arrived({ error }),
    );
  }

  #arrived(result: { next: IteratorResult<T> } | { error: unknown }): void {
    this.#result = result;
    this.wake();
  }
}
