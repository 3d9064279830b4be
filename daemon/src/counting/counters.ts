/** Plain numbers by name. Names are words of the program's own: what comes from outside must not make new ones. */
export class Counters {
  readonly #counts = new Map<string, number>();

  add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  all(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
