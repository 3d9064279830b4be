/** Reads an asynchronous iterable one by one, by a reader that may be woken for another reason meanwhile. */
export class Reader<T> {
  readonly #source: AsyncIterator<T>;
  #bell = Promise.withResolvers<void>();
  #asked = false;
  #result: { next: IteratorResult<T> } | { error: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: AsyncIterable<T>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next element; undefined if something else woke the reader first: the element then comes with a later call. */
  async next(): Promise<IteratorResult<T> | undefined> {
    this.#ask();
    if (this.#result === undefined) {
      await this.#bell.promise;
      this.#bell = Promise.withResolvers<void>();
    }
    const result = this.#result;
    if (result === undefined) return undefined;
    this.#result = undefined;
    this.#asked = false;
    if ('error' in result) throw result.error;
    return result.next;
  }

  wake(): void {
    this.#bell.resolve();
  }

  /** Wakes the reader after a while. */
  wakeIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), milliseconds);
  }

  /** Lets the source go; what it still says is of no interest. */
  close(): void {
    clearTimeout(this.#timer);
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
