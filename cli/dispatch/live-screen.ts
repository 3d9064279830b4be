/** A terminal with a table at its bottom that is redrawn in place, while lines of output scroll by above it. */
import type { LiveSize } from './live-lines.ts';
import type { Screen } from './view.types.ts';

/** Time between two drawings, in milliseconds: fast enough for the eye, cheap enough for a slow line. */
const REDRAW_MS = 120;

/** Lets the terminal itself cut lines with wide characters. */
const NO_WRAP = '\x1b[?7l';
const WRAP = '\x1b[?7h';

export interface Terminal {
  write(text: string): unknown;
  columns?: number;
  rows?: number;
}

export class LiveScreen implements Screen {
  readonly #terminal: Terminal;
  readonly #inner: Screen;
  readonly #lines: (size: LiveSize) => readonly string[];
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  /** The table as last drawn. */
  #table = '';
  /** False while a line of output is unfinished, since a table would break into it. */
  #atLineStart = true;
  #closed = false;

  constructor(terminal: Terminal, inner: Screen, lines: (size: LiveSize) => readonly string[]) {
    this.#terminal = terminal;
    this.#inner = inner;
    this.#lines = lines;
    this.#timer = setInterval(() => this.draw(), REDRAW_MS);
    this.#timer.unref();
  }

  out(text: string | Uint8Array): void {
    this.#above(text, (one) => this.#inner.out(one));
  }

  err(text: string | Uint8Array): void {
    this.#above(text, (one) => this.#inner.err(one));
  }

  /** Draws the table as it is now. */
  draw(): void {
    if (this.#closed || !this.#atLineStart) return;
    // a terminal of unknown size reports 0
    const lines = this.#lines({ columns: this.#terminal.columns || 80, rows: this.#terminal.rows || 24 });
    const table = lines.length === 0 ? '' : `${NO_WRAP}${lines.map((line) => `${line}\n`).join('')}${WRAP}`;
    if (lines.length === this.#drawn && table === this.#table) return;
    this.#terminal.write(`${this.#erasing()}${table}`);
    this.#drawn = lines.length;
    this.#table = table;
  }

  /** Removes the table. */
  close(): void {
    if (this.#closed) return;
    clearInterval(this.#timer);
    this.#erase();
    this.#closed = true;
  }

  #above(text: string | Uint8Array, write: (text: string | Uint8Array) => void): void {
    if (text.length === 0) return;
    this.#erase();
    write(text);
    const last = text.at(-1);
    this.#atLineStart = last === '\n' || last === 0x0a;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#terminal.write(this.#erasing());
    this.#drawn = 0;
  }

  #erasing(): string {
    return this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A\x1b[J`;
  }
}
