/**
 * A bounded queue of keys, due now or later. Each key is worked on once at a time; a failed one is retried after a back-off that doubles.
 * Holds timers and promises, and knows nothing of objects.
 */

export interface WorkQueueOptions {
  /** Keys worked on at once. */
  parallel: number;
  /** The most waiting keys, and as many again that have failed. Failed keys beyond that are dropped, and must be found again. */
  limit: number;
  firstBackOffMs: number;
  lastBackOffMs: number;
  /** Works on a key. Throws to be retried after the back-off. `failures`: consecutive failures of this key so far. */
  work(key: string, failures: number): Promise<void>;
  /** Called when nothing is running and nothing is due. */
  onIdle(): void;
}

interface Later {
  /** By the monotonic clock. */
  due: number;
  failures: number;
}

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Keys that are due, in the order in which they became due, each with its consecutive failures. */
  readonly #due = new Map<string, number>();
  readonly #later = new Map<string, Later>();
  /** Keys in `#later` that have failed. */
  #failed = 0;
  /** Running keys. `again`: when to run the key once more, if it was added meanwhile. */
  readonly #running = new Map<string, { again: number | undefined }>();
  readonly #ends = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#due.size + this.#later.size + this.#running.size;
  }

  /**
   * Adds a key; false if there is no room. A waiting key keeps the earlier due time. A key in back-off is left alone, unless `anew` clears
   * its failures.
   */
  add(key: string, delayMs: number, { anew = false }: { anew?: boolean } = {}): boolean {
    if (this.#stopped) return true;
    const due = performance.now() + delayMs;
    const running = this.#running.get(key);
    if (running !== undefined) {
      running.again = Math.min(running.again ?? due, due);
      return true;
    }
    if (this.#due.has(key)) return true;
    const waiting = this.#later.get(key);
    if (waiting !== undefined) {
      if (waiting.failures > 0 && !anew) return true;
      this.#take(key, waiting);
      this.#put(key, { due: Math.min(waiting.due, due), failures: 0 });
      return true;
    }
    if (this.#due.size + this.#later.size - this.#failed >= this.#options.limit) return false;
    this.#put(key, { due, failures: 0 });
    return true;
  }

  /** Starts nothing more, and resolves when running work has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#due.clear();
    this.#later.clear();
    await Promise.all(this.#ends);
  }

  #put(key: string, later: Later): void {
    if (later.failures > 0) {
      if (this.#failed >= this.#options.limit) return;
      this.#failed += 1;
    }
    this.#later.set(key, later);
    this.#wakeAt(later.due);
  }

  #take(key: string, { failures }: Later): void {
    this.#later.delete(key);
    if (failures > 0) this.#failed -= 1;
  }

  #wakeAt(due: number): void {
    if (this.#stopped || due >= this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, due - performance.now()));
    this.#timer.unref();
  }

  #wake(): void {
    this.#timerDue = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [key, later] of this.#later) {
      if (later.due > now) {
        next = Math.min(next, later.due);
        continue;
      }
      this.#take(key, later);
      this.#due.set(key, later.failures);
    }
    if (next < Number.POSITIVE_INFINITY) this.#wakeAt(next);
    this.#fill();
  }

  #fill(): void {
    if (this.#stopped) return;
    for (const [key, failures] of this.#due) {
      if (this.#running.size >= this.#options.parallel) return;
      this.#due.delete(key);
      this.#begin(key, failures);
    }
    if (this.#running.size === 0) this.#options.onIdle();
  }

  #begin(key: string, failures: number): void {
    const running: { again: number | undefined } = { again: undefined };
    this.#running.set(key, running);
    const end = this.#options.work(key, failures).then(
      () => this.#ended(key, running.again === undefined ? undefined : { due: running.again, failures: 0 }),
      () => this.#ended(key, { due: performance.now() + this.#backOff(failures), failures: failures + 1 }),
    );
    this.#ends.add(end);
    void end.finally(() => this.#ends.delete(end));
  }

  #ended(key: string, next: Later | undefined): void {
    this.#running.delete(key);
    if (this.#stopped) return;
    if (next !== undefined) this.#put(key, next);
    this.#fill();
  }

  #backOff(failures: number): number {
    const { firstBackOffMs, lastBackOffMs } = this.#options;
    return Math.min(lastBackOffMs, firstBackOffMs * 2 ** Math.min(failures, 30));
  }
}
