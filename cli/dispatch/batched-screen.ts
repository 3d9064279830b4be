import type { Screen } from './view.types.ts';

/** The most that is gathered, in bytes or characters. */
const MAX_LENGTH = 256 * 1024;

/** Gathers small writes into large ones, in order: a write per line costs a system call each, and output can have millions of lines. */
export class BatchedScreen implements Screen {
  readonly #inner: Screen;
  #parts: (string | Uint8Array)[] = [];
  #length = 0;
  #isErr = false;

  constructor(inner: Screen) {
    this.#inner = inner;
  }

  out(text: string | Uint8Array): void {
    this.#add(text, false);
  }

  err(text: string | Uint8Array): void {
    this.#add(text, true);
  }

  /** Writes what was gathered. Called once everything that came together has been added. */
  flush(): void {
    if (this.#parts.length === 0) return;
    const all = joined(this.#parts);
    this.#parts = [];
    this.#length = 0;
    if (this.#isErr) this.#inner.err(all);
    else this.#inner.out(all);
  }

  #add(text: string | Uint8Array, isErr: boolean): void {
    if (isErr !== this.#isErr) this.flush();
    this.#isErr = isErr;
    this.#parts.push(text);
    this.#length += text.length;
    if (this.#length >= MAX_LENGTH) this.flush();
  }
}

function joined(parts: readonly (string | Uint8Array)[]): string | Uint8Array {
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}
