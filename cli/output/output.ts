import { styleText } from 'node:util';
import { userPreferences } from '../config.ts';
import { textAt } from '../json.ts';

type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/** Output for the person: results on standard output, all else on standard error. Colours only on a terminal that wants them. */
export class Output {
  readonly #colours: boolean;
  readonly #noted = new Set<string>();
  // A reader that closes the pipe early (`| head`) is no failure.
  #unread = (): void => process.exit(0);

  constructor() {
    this.#colours = process.stdout.isTTY === true && !userPreferences().noColor;
    process.stdout.on('error', (error) => {
      const code = textAt(error, 'code');
      if (code === 'EPIPE') return this.#unread();
      process.stderr.write(`error: the output cannot be written (${code ?? String(error)})\n`);
      process.exit(1);
    });
    // nobody can be told; the exit status still says how the command went
    process.stderr.on('error', () => undefined);
  }

  /** Replaces the exit with status 0 when nobody reads the results any more, for commands with a status of their own. */
  onUnread(listener: () => void): void {
    this.#unread = listener;
  }

  /** True if a person can watch progress on standard error. */
  get interactive(): boolean {
    return process.stderr.isTTY === true;
  }

  /** Prints one or more lines of the result. */
  print(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  lines(lines: readonly string[]): void {
    if (lines.length > 0) this.print(lines.join('\n'));
  }

  /** Prints a note that is not part of the result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** Prints a note only once, even if it comes again, as with each kind that is listed. */
  noteOnce(text: string): void {
    if (!this.#noted.has(text)) this.note(text);
    this.#noted.add(text);
  }

  /** Reports the progress of long work to a person who waits; never to logs or pipes. */
  progress(text: string): void {
    if (this.interactive) process.stderr.write(`${text}\n`);
  }

  paint(colour: Colour, text: string): string {
    return this.#colours ? styleText(colour, text, { validateStream: false }) : text;
  }
}
