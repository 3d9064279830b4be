/** One line at the terminal that tells how far something has come, and goes when it is over. Nothing where nobody watches. */
import { formatSize } from './size.ts';

/** Milliseconds between two changes of the line. */
const PACE_MS = 200;
/** Small files are there before anybody has read of them. */
const WORTH_BYTES = 4 * 1024 * 1024;

export class ProgressLine {
  readonly #what: string;
  readonly #write: ((text: string) => void) | undefined;
  #shownAt = 0;
  #shown = false;

  /** `write`: absent where nobody watches. */
  constructor(what: string, write: ((text: string) => void) | undefined) {
    this.#what = what;
    this.#write = write;
  }

  /** `size`: how much there will be; absent where nobody knows. */
  show(done: number, size?: number): void {
    const now = performance.now();
    if (this.#write === undefined || (size ?? done) < WORTH_BYTES || now - this.#shownAt < PACE_MS) return;
    this.#shownAt = now;
    this.#shown = true;
    const come = size === undefined ? formatSize(done) : `${Math.floor((100 * done) / size)}% of ${formatSize(size)}`;
    this.#write(`\r\u001b[K${this.#what}: ${come}`);
  }

  clear(): void {
    if (this.#shown) this.#write?.('\r\u001b[K');
    this.#shown = false;
  }
}
