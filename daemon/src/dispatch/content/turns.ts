/** Turns of members that want something served: so many at once for each and for all, others wait in the order in which they came. */
export interface TurnLimits {
  served: number;
  servedEach: number;
  waiting: number;
  waitingEach: number;
}

interface Waiting {
  who: string;
  begin(): void;
}

export class Turns {
  readonly #limits: TurnLimits;
  readonly #served = new Map<string, number>();
  #total = 0;
  #queue: Waiting[] = [];

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /**
   * Calls `begin` when it is `who`'s turn, at once if there is room. Returns what ends the turn, or the waiting for it; undefined if too many
   * wait already. To be ended once.
   */
  take(who: string, begin: () => void): (() => void) | undefined {
    const { waiting, waitingEach } = this.#limits;
    const entry: Waiting = { who, begin };
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      const at = this.#queue.indexOf(entry);
      if (at >= 0) this.#queue.splice(at, 1);
      else this.#leave(who);
    };
    if (this.#hasRoom(who)) {
      this.#enter(entry);
      return end;
    }
    if (this.#queue.length >= waiting || this.#queue.filter((other) => other.who === who).length >= waitingEach) return undefined;
    this.#queue.push(entry);
    return end;
  }

  #hasRoom(who: string): boolean {
    return this.#total < this.#limits.served && (this.#served.get(who) ?? 0) < this.#limits.servedEach;
  }

  #enter({ who, begin }: Waiting): void {
    this.#total += 1;
    this.#served.set(who, (this.#served.get(who) ?? 0) + 1);
    queueMicrotask(begin);
  }

  #leave(who: string): void {
    this.#total -= 1;
    const left = (this.#served.get(who) ?? 1) - 1;
    if (left > 0) this.#served.set(who, left);
    else this.#served.delete(who);
    const next = this.#queue.findIndex((entry) => this.#hasRoom(entry.who));
    const [entry] = next < 0 ? [] : this.#queue.splice(next, 1);
    if (entry !== undefined) this.#enter(entry);
  }
}
