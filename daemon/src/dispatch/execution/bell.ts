/** Wakes waiters when something happens. A ring before `next` is called is missed, so callers call it before they look at the state. */
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
