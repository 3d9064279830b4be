/** Wakes all that wait for the next event. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Calls back at the next ring. Returns a function that cancels this. */
  once(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  /** Resolves at the next ring, when the signal aborts, or after the timeout. */
  async wait(signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const forget = this.once(wake);
    signal.addEventListener('abort', wake, { once: true });
    const timer = setTimeout(wake, timeoutMs);
    await promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', wake);
    forget();
  }
}
