import type { PartState } from '../../../../../protocol/orders/words.ts';

/** How many parts are in each state. */
export class Tally {
  readonly #states: PartState[] = [];
  readonly #counts = new Map<PartState, number>();

  set(index: number, state: PartState): void {
    const before = this.#states[index];
    if (before === state) return;
    if (before !== undefined) this.#counts.set(before, this.count(before) - 1);
    this.#counts.set(state, this.count(state) + 1);
    this.#states[index] = state;
  }

  count(state: PartState): number {
    return this.#counts.get(state) ?? 0;
  }
}
