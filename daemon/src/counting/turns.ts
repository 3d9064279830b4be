/** How many may run at once, for each party and in all. The rest wait in order of arrival. */
export interface TurnLimits {
  /** Running at once, for one party. */
  each: number;
  /** Running at once, in all. Default: any number. */
  all?: number;
  /**
   * No party may run more than what is left of `all`. The more parties want many, the smaller their shares, and there is always
   * room for the next.
   */
  sharing?: boolean;
  /** Waiting, for one party. Default: any number. */
  waitingEach?: number;
  /** Waiting, in all. Default: any number. */
  waiting?: number;
}

interface Waiting {
  who: string;
  begin(): void;
}

export class Turns {
  readonly #limits: Required<TurnLimits>;
  readonly #running = new Map<string, number>();
  readonly #queue: Waiting[] = [];
  #total = 0;

  constructor({
    each,
    all = Number.POSITIVE_INFINITY,
    sharing = false,
    waitingEach = Number.POSITIVE_INFINITY,
    waiting = Number.POSITIVE_INFINITY,
  }: TurnLimits) {
    this.#limits = { each, all, sharing, waitingEach, waiting };
  }

  /**
   * Calls `begin` when it is `who`'s turn, immediately if there is room. Returns a function that ends the turn or stops waiting for
   * it; undefined if too many are waiting already.
   */
  take(who: string, begin: () => void): (() => void) | undefined {
    const entry: Waiting = { who, begin };
    if (this.#hasRoom(who)) this.#enter(entry);
    else if (!this.#mayWait(who)) return undefined;
    else this.#queue.push(entry);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const at = this.#queue.indexOf(entry);
      if (at >= 0) this.#queue.splice(at, 1);
      else this.#leave(who);
    };
  }

  /**
   * Like `take`, but resolves with the function that ends the turn once the turn has come. Throws the signal's reason if the signal
   * aborts first.
   */
  async wait(who: string, signal?: AbortSignal): Promise<(() => void) | undefined> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const give = () => {
      end?.();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', give, { once: true });
    const settled = () => signal?.removeEventListener('abort', give);
    const end = this.take(who, () => {
      settled();
      resolve();
    });
    if (end === undefined) settled();
    else await promise;
    return end;
  }

  #hasRoom(who: string): boolean {
    const { each, all, sharing } = this.#limits;
    const left = all - this.#total;
    return left > 0 && (this.#running.get(who) ?? 0) < Math.min(each, sharing ? left : each);
  }

  #mayWait(who: string): boolean {
    const { waiting, waitingEach } = this.#limits;
    return this.#queue.length < waiting && this.#queue.filter((other) => other.who === who).length < waitingEach;
  }

  #enter({ who, begin }: Waiting): void {
    this.#total += 1;
    this.#running.set(who, (this.#running.get(who) ?? 0) + 1);
    begin();
  }

  #leave(who: string): void {
    this.#total -= 1;
    const left = (this.#running.get(who) ?? 1) - 1;
    if (left > 0) this.#running.set(who, left);
    else this.#running.delete(who);
    const next = this.#queue.findIndex((entry) => this.#hasRoom(entry.who));
    const [entry] = next < 0 ? [] : this.#queue.splice(next, 1);
    if (entry !== undefined) this.#enter(entry);
  }
}
