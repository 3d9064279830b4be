/**
 * Keeps what several tell, up to so many in all. Where there is no room left, whoever told most gives way to who told less: one that says little is heard, however
 * much others say. Pure but for its own state.
 */
export class FairShare<K, V> {
  readonly #most: number;
  readonly #told = new Map<K, V[]>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Keeps it, if its teller has less than the one with most, or there is room. */
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
