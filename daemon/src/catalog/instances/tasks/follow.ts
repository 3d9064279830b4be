/**
 * The lines that a follower of a task gets: the tree as it stands, each step that changes, the output of commands, the end.
 * Output is read from dispatch with the follower's rights. A step's output, and the notice that it was cut, come before the
 * step's end. Nothing is read ahead of a slow follower beyond a small buffer.
 */
import type { z } from 'zod';
import type { TaskStep } from '../../../../../protocol/kinds/task.ts';
import type { FollowedRecord } from '../../../../../protocol/requests/follow.ts';
import type { taskLine } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { CommandOutput } from '../service-instances.types.ts';
import { FOLLOW_AT_A_TIME, LATE_OUTPUT_MS, MAX_FOLLOWED_BYTES, MAX_WAITING_LINES } from './limits.ts';
import type { TaskStatus } from './task-object.ts';

export type TaskLine = z.infer<typeof taskLine>;

/** A task as followers see it, running or over. */
export interface TaskView {
  title: string;
  status(): TaskStatus;
  step(number: string): TaskStep | undefined;
  /** As `TaskRun.onChange`. Never calls back for a task that is over. */
  onChange(listener: (number?: string) => void): () => void;
  /** Resolves when nothing changes any more. */
  ended: Promise<unknown>;
}

export interface FollowTaskOptions {
  principal: Principal;
  output: CommandOutput;
  /** Whose output to read: all steps, none, or the one with this number. */
  of: 'all' | 'none' | { number: string };
  signal: AbortSignal;
}

export async function* followTask(view: TaskView, options: FollowTaskOptions): AsyncGenerator<TaskLine> {
  const follower = new Follower(view, options);
  try {
    const { state, steps } = view.status();
    follower.begin(steps);
    yield { type: 'task', state, title: view.title, steps };
    yield* follower.lines();
  } finally {
    follower.close();
  }
}

class Follower {
  readonly #view: TaskView;
  readonly #options: FollowTaskOptions;
  readonly #closed = new AbortController();
  readonly #lines: TaskLine[] = [];
  /** Executions whose output is being read or has been. */
  readonly #known = new Set<string>();
  readonly #waiting: TaskStep[] = [];
  /** Numbers of steps whose output has not been read to the end. */
  readonly #reading = new Set<string>();
  readonly #dirty = new Set<string>();
  #running = 0;
  #over = false;
  #bell = Promise.withResolvers<void>();
  #room = Promise.withResolvers<void>();
  #forget: () => void = () => undefined;
  /** Runs once the task is over: ends the wait for late output. */
  #patience: NodeJS.Timeout | undefined;

  constructor(view: TaskView, options: FollowTaskOptions) {
    this.#view = view;
    this.#options = options;
  }

  begin(steps: readonly TaskStep[]): void {
    const { signal } = this.#options;
    const ring = () => this.#ring();
    signal.addEventListener('abort', ring, { once: true });
    const unsubscribe = this.#view.onChange((number) => {
      if (number !== undefined) this.#dirty.add(number);
      this.#ring();
    });
    this.#forget = () => {
      unsubscribe();
      signal.removeEventListener('abort', ring);
    };
    this.#view.ended.then(
      () => {
        this.#over = true;
        this.#bePatient();
        this.#ring();
      },
      () => undefined,
    );
    for (const step of steps) this.#consider(step);
  }

  async *lines(): AsyncGenerator<TaskLine> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const rung = this.#bell.promise;
      const over = this.#over;
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        this.#room.resolve();
        this.#room = Promise.withResolvers<void>();
        yield line;
      }
      for (const number of [...this.#dirty]) {
        const step = this.#view.step(number);
        if (step !== undefined) this.#consider(step);
        if (step !== undefined && isOver(step) && this.#reading.has(number)) continue;
        this.#dirty.delete(number);
        if (step !== undefined) yield { type: 'step', step };
      }
      if (this.#lines.length > 0) continue;
      if (over && this.#reading.size === 0 && this.#dirty.size === 0) {
        const { state, message } = this.#view.status();
        // still executing: the daemon is shutting down before the task ends, so no end is sent and the follower asks again
        if (state !== 'executing') yield { type: 'end', state, ...(message === undefined ? {} : { message }) };
        return;
      }
      await rung;
    }
  }

  close(): void {
    this.#forget();
    clearTimeout(this.#patience);
    this.#closed.abort();
    this.#room.resolve();
  }

  #ring(): void {
    this.#bell.resolve();
    this.#bell = Promise.withResolvers<void>();
  }

  /**
   * (Re)starts the idle timer once the task is over. A command that was left running may print for days or not at all, and must
   * not keep a follower waiting.
   */
  #bePatient(): void {
    clearTimeout(this.#patience);
    if (!this.#over || this.#closed.signal.aborted) return;
    this.#patience = setTimeout(() => {
      if (this.#lines.length > 0) return this.#bePatient();
      this.#closed.abort();
      this.#waiting.length = 0;
      this.#reading.clear();
      this.#ring();
    }, LATE_OUTPUT_MS);
    this.#patience.unref();
  }

  /** Queues the output of the step's execution for reading, once. */
  #consider(step: TaskStep): void {
    const { of } = this.#options;
    if (step.execution === undefined || of === 'none' || (of !== 'all' && of.number !== step.number)) return;
    if (this.#known.has(step.execution)) return;
    this.#known.add(step.execution);
    this.#reading.add(step.number);
    this.#waiting.push(step);
    this.#next();
  }

  #next(): void {
    while (this.#running < FOLLOW_AT_A_TIME) {
      const step = this.#waiting.shift();
      if (step === undefined) return;
      this.#running += 1;
      void this.#read(step, step.execution ?? '').finally(() => {
        this.#running -= 1;
        if (!this.#waiting.some(({ number }) => number === step.number)) this.#reading.delete(step.number);
        this.#next();
        this.#ring();
      });
    }
  }

  /** Reads output. A follower of the task may lack the right to see what its commands print. */
  async #read({ number, resource = '', node = '' }: TaskStep, execution: string): Promise<void> {
    const { principal, output } = this.#options;
    const { signal } = this.#closed;
    let bytes = 0;
    try {
      for await (const line of await output.follow(principal, execution, { signal })) {
        if (signal.aborted) return;
        for (const record of line.output?.records ?? []) {
          const text = textOf(record);
          bytes += Buffer.byteLength(text);
          while (this.#lines.length >= MAX_WAITING_LINES && !signal.aborted) await this.#room.promise;
          if (signal.aborted) return;
          this.#bePatient();
          const isCut = bytes > MAX_FOLLOWED_BYTES;
          this.#lines.push(
            isCut
              ? { type: 'cut', number, resource, node, execution, next: `dtkd executions follow ${execution}` }
              : { type: 'output', number, resource, node, stream: record.s === 'out' ? 'out' : 'err', text },
          );
          this.#ring();
          if (isCut) return;
        }
      }
    } catch {
      // the execution is gone, or the follower may not see it
    }
  }
}

function isOver({ state }: TaskStep): boolean {
  return state !== 'created' && state !== 'executing';
}

/** The text of a record. System log lines come without a line end and get one. */
function textOf({ s, text, base64 }: FollowedRecord): string {
  return `${text ?? Buffer.from(base64 ?? '', 'base64').toString()}${s === 'log' ? '\n' : ''}`;
}
