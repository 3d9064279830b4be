/**
 * Keeps values from several tellers, up to a total. When that is full, the one with most values loses one to a teller with fewer, so that
 * one that says little is heard however much others say. Pure but for its own state.
 */
export class FairShare<K, V> {
  readonly #most: number;
  readonly #told = new Map<K, V[]>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Keeps the value if there is room, or if its teller has at least two fewer than the one with most, which then loses its last. */
  add(teller: K, value: V): void {
    const own = this.#told.get(teller) ?? [];
    if (this.#count >= this.#most) {
      const longest = [...this.#told.values()].reduce((long, one) => (one.length > long.length ? one : long), own);
      if (longest.length <= own.length + 1) return;
      longest.pop();
      this.#count -= 1;
    }
    own.push(value);
    this.#told.set(teller, own);
    this.#count += 1;
  }

  values(): V[] {
    return [...this.#told.values()].flat();
  }
}
