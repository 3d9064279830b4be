import { styleText } from 'node:util';
import { userPreferences } from '../config.ts';
import { textAt } from '../json.ts';

type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/** What the person sees: results on standard output, all else on standard error. Colours only on a terminal that wants them. */
export class Output {
  readonly #colours: boolean;
  readonly #noted = new Set<string>();
  // A reader that has seen enough (`| head`) is no failure.
  #unread = (): void => process.exit(0);

  constructor() {
    this.#colours = process.stdout.isTTY === true && !userPreferences().noColor;
    process.stdout.on('error', (error) => {
      const code = textAt(error, 'code');
      if (code === 'EPIPE') return this.#unread();
      process.stderr.write(`error: the output cannot be written (${code ?? String(error)})\n`);
      process.exit(1);
    });
    // there is nobody left to tell; the exit status still says how it went
    process.stderr.on('error', () => undefined);
  }

  /** What is done in place of ending well, from now on, when nobody reads the results any more: for what has a status of its own. */
  onUnread(listener: () => void): void {
    this.#unread = listener;
  }

  /** True if somebody watches the results come in. */
  get interactive(): boolean {
    return process.stderr.isTTY === true;
  }

  /** A line, or several, of the result. */
  print(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  lines(lines: readonly string[]): void {
    if (lines.length > 0) this.print(lines.join('\n'));
  }

  /** A remark that is not part of the result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** The same, but said once however often it comes, as of each kind that is listed. */
  noteOnce(text: string): void {
    if (!this.#noted.has(text)) this.note(text);
    this.#noted.add(text);
  }

  /** What long work is doing, for people who wait; never in logs and pipes. */
  progress(text: string): void {
    if (this.interactive) process.stderr.write(`${text}\n`);
  }

  paint(colour: Colour, text: string): string {
    return this.#colours ? styleText(colour, text, { validateStream: false }) : text;
  }
}
