/** Ways to show a task while it goes on. */
import type { TaskStep } from '../../protocol/kinds/task.ts';
import { HeldOutput } from '../dispatch/held-output.ts';
import { LineAssembler } from '../dispatch/line-assembler.ts';
import { prefixedBytes, prefixedText, printable } from '../dispatch/printable.ts';
import type { Screen } from '../dispatch/view.types.ts';
import { escapeControls } from '../output/escape.ts';
import { toJson } from '../output/format.ts';
import { type CutLine, hasEnded, isLeaf, leavesOf, type OutputLine, type TaskLine, type TaskView } from './task.ts';
import { stepLine } from './task-lines.ts';

export interface TaskFollowView {
  /** Shows a line. `task` has been updated by it. */
  show(line: TaskLine, task: TaskView): void;
  /** Everything has come. */
  end(task: TaskView): void;
}

export interface TextOptions {
  /** True: shows the output of every command as it comes. False: only that of failed commands, once they have ended. */
  verbose: boolean;
  /** Writes a line when a step begins or ends. Off where a live tree shows it better. */
  lines: boolean;
  /** Escapes what could command a terminal. */
  escape: boolean;
  /** The command that shows all output of an execution. */
  allOf(execution: string): string;
}

const NOWHERE: Screen = { out: () => undefined, err: () => undefined };

export class TaskTextView implements TaskFollowView {
  readonly #screen: Screen;
  readonly #options: TextOptions;
  readonly #held = new HeldOutput();
  /** The place of a step in `#held`, by its number. */
  readonly #places = new Map<string, number>();
  readonly #open = new Map<string, LineAssembler>();
  /** Steps whose held output ends with an unfinished line. */
  readonly #midLine = new Set<string>();
  /** The last state shown for each step. */
  readonly #told = new Map<string, string>();
  #next = 0;

  constructor(screen: Screen, options: TextOptions) {
    this.#screen = screen;
    this.#options = options;
  }

  show(line: TaskLine, task: TaskView): void {
    if (line.type === 'output') this.#output(line);
    else if (line.type === 'cut') this.#cut(line);
    else if (line.type === 'task') for (const step of leavesOf(task)) this.#step(step);
    else if (line.type === 'step') {
      const changed = task.steps.get(numberOf(line.step) ?? '');
      if (changed !== undefined && isLeaf(task, changed)) this.#step(changed);
    }
  }

  end(task: TaskView): void {
    for (const number of this.#places.keys()) this.#settle(task.steps.get(number));
    this.#held.close();
  }

  #output({ number, stream, text, resource }: OutputLine): void {
    const bytes = Buffer.from(text);
    if (!this.#options.verbose) {
      const screen = this.#held.screen(this.#placeOf(number));
      if (stream === 'out') screen.out(bytes);
      else screen.err(bytes);
      if (text.endsWith('\n')) this.#midLine.delete(number);
      else this.#midLine.add(number);
      return;
    }
    const key = `${number} ${stream}`;
    const assembler = this.#open.get(key) ?? new LineAssembler();
    this.#open.set(key, assembler);
    this.#write(stream, assembler.add(bytes), resource);
  }

  /** Notes where output is cut off, since it would otherwise look complete. */
  #cut({ number, resource, execution }: CutLine): void {
    const text = `there is more output than is shown here. All of it: ${this.#options.allOf(execution)}\n`;
    if (this.#options.verbose) {
      this.#flush(number, resource);
      this.#write('err', Buffer.from(text), resource);
      return;
    }
    this.#held.screen(this.#placeOf(number)).err(this.#midLine.delete(number) ? `\n${text}` : text);
  }

  #step(step: TaskStep): void {
    if (step.state === 'created' || this.#told.get(step.number) === step.state) return;
    this.#told.set(step.number, step.state);
    if (hasEnded(step.state)) this.#flush(step.number, step.resource ?? '');
    if (this.#options.lines) this.#screen.out(`${stepLine(step, Date.now())}\n`);
    if (hasEnded(step.state)) this.#settle(step);
  }

  /** Shows the output of a failed step as a block; drops that of others. */
  #settle(step: TaskStep | undefined): void {
    const place = step === undefined ? undefined : this.#places.get(step.number);
    if (step === undefined || place === undefined) return;
    this.#places.delete(step.number);
    const isShown = step.state === 'failed';
    // the step's own line, just above, gives the reason
    const { message: _message, ...named } = step;
    if (isShown) this.#screen.out(`---- ${stepLine(this.#options.lines ? named : step, Date.now())} ----\n`);
    this.#held.release(place, !isShown ? NOWHERE : { out: (text) => this.#lines('out', text), err: (text) => this.#lines('err', text) });
  }

  /** Writes the unfinished lines of a step that has no more output. */
  #flush(number: string, resource: string): void {
    for (const stream of ['out', 'err'] as const) {
      const rest = this.#open.get(`${number} ${stream}`)?.flush();
      if (rest !== undefined) this.#write(stream, rest, resource);
    }
  }

  #write(stream: 'out' | 'err', bytes: Buffer, resource: string): void {
    if (bytes.length === 0) return;
    const prefix = resource === '' ? '' : `${escapeControls(resource)}: `;
    const lines = this.#options.escape ? prefixedText(printable(bytes), prefix) : prefixedBytes(bytes, prefix);
    if (stream === 'out') this.#screen.out(lines);
    else this.#screen.err(lines);
  }

  #lines(stream: 'out' | 'err', text: string | Uint8Array): void {
    const bytes = Buffer.from(text);
    const shown = this.#options.escape ? printable(bytes) : bytes;
    if (stream === 'out') this.#screen.out(shown);
    else this.#screen.err(shown);
  }

  #placeOf(number: string): number {
    let place = this.#places.get(number);
    if (place === undefined) {
      this.#next += 1;
      place = this.#next;
      this.#places.set(number, place);
    }
    return place;
  }
}

/** Writes each line as the daemon sends it. */
export class TaskJsonView implements TaskFollowView {
  readonly #screen: Screen;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(line: TaskLine): void {
    // the caller reports the end, with the exit status
    if (line.type !== 'end') this.#screen.out(`${toJson(line, 0)}\n`);
  }

  end(): void {
    // nothing is held back
  }
}

function numberOf(step: unknown): string | undefined {
  const number: unknown = Reflect.get(Object(step), 'number');
  return typeof number === 'string' ? number : undefined;
}
