/** Notes for people while an execution runs: the latest, in order. */
import type { Note } from './view.types.ts';

export class Notes {
  readonly #limit: number;
  #items: Note[] = [];
  /** Position of the first note that is kept. */
  #first = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get next(): number {
    return this.#first + this.#items.length;
  }

  add(note: Note): void {
    this.#items.push(note);
    if (this.#items.length < 2 * this.#limit) return;
    // trimmed now and then, not at each note
    this.#first += this.#items.length - this.#limit;
    this.#items = this.#items.slice(-this.#limit);
  }

  since(place: number): { items: readonly Note[]; next: number } {
    return { items: this.#items.slice(Math.max(0, place - this.#first)), next: this.next };
  }
}
