/** One line at the terminal that shows progress and is erased at the end. Nothing if nobody watches. */
import { formatSize } from './size.ts';

/** Milliseconds between updates of the line. */
const PACE_MS = 200;
/** Smaller transfers are over before anybody could read of them. */
const WORTH_BYTES = 4 * 1024 * 1024;

export class ProgressLine {
  readonly #what: string;
  readonly #write: ((text: string) => void) | undefined;
  #shownAt = 0;
  #shown = false;

  /** `write`: undefined if nobody watches. */
  constructor(what: string, write: ((text: string) => void) | undefined) {
    this.#what = what;
    this.#write = write;
  }

  /** `size`: the total, if known. */
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
