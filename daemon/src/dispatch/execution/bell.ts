/** Wakes whoever waits for something to happen. What rings before `next` is called is not heard, so it is called before looking. */
export class Bell {
  #next = Promise.withResolvers<void>();

  readonly ring = (): void => {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  };

  /** Resolves at the next ring. */
  next(): Promise<void> {
    return this.#next.promise;
  }
}
