/**
 * One task while it runs: starts steps as they become ready, up to the limit, shows their progress in the Task object, and
 * records the end. Guarantees that the success of a step is recorded before a step that needs it begins, and that the stored
 * object ends in the task's final state.
 */
import { MAX_TASK_STEPS, type TaskStep } from '../../../../../protocol/kinds/task.ts';
import { type ApiObject, toTimestamp } from '../../../../../protocol/objects/objects.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import type { AppliedResource, PlannedStep } from '../instances.types.ts';
import { Ahead } from './ahead.ts';
import { GATHER_MS, GATHER_STEP_MS, MAX_THREADS, STARTS_AT_A_TIME } from './limits.ts';
import { Closing, failedBy, prepareStep, runStep, type StepContext } from './run-step.ts';
import { Schedule } from './schedule.ts';
import { Starts } from './starts.ts';
import { dropStep, stepsOfTask } from './step-rows.ts';
import { failureText, fieldsOfTask, shortened, type TaskStatus, taskRef } from './task-object.ts';
import type { OwnWork, StepEnd, StepRow, TaskEnd, TasksOptions, TaskToRun } from './tasks.types.ts';

/** Milliseconds between attempts to store the end while the disk refuses it. */
const STORE_AGAIN_MS = 5_000;

export class TaskRun {
  readonly name: string;
  readonly instance: string;
  readonly title: string;
  readonly ended: Promise<TaskEnd | undefined>;
  readonly #options: TasksOptions;
  readonly #task: TaskToRun;
  readonly #planned: ReadonlyMap<string, PlannedStep>;
  readonly #schedule: Schedule;
  readonly #shown = new Map<string, TaskStep>();
  readonly #context: StepContext;
  readonly #ahead: Ahead;
  readonly #threads: number;
  readonly #cancelled = new AbortController();
  readonly #closing = new AbortController();
  readonly #listeners = new Set<(number?: string) => void>();
  readonly #startedAt: string;
  /** Steps that count against the limit of threads. */
  readonly #placed = new Set<string>();
  #wake = Promise.withResolvers<void>();
  #end: TaskEnd | undefined;
  #finishedAt: string | undefined;
  #cancelledBy: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  /** `object`: the Task as stored; `earlier`: commands of earlier tasks whose ends are not known. */
  constructor(options: TasksOptions, task: TaskToRun, object: ApiObject, earlier: readonly StepRow[]) {
    this.#options = options;
    this.#task = task;
    this.name = object.metadata.name;
    this.instance = task.instance;
    this.title = task.title;
    const status = fieldsOfTask(object)?.status;
    this.#startedAt = status?.startedAt ?? toTimestamp(options.now());
    for (const step of status?.steps ?? []) this.#shown.set(step.number, step);
    const { steps } = task.plan;
    this.#planned = new Map(steps.map((step) => [step.number, step]));
    const works = ({ number, work }: PlannedStep): boolean => work !== undefined || task.own?.has(number) === true;
    this.#schedule = new Schedule(
      steps.map((step) => ({ number: step.number, after: step.after, works: works(step) })),
      { keepGoing: task.keepGoing },
    );
    this.#threads = Math.max(1, Math.min(task.plan.threads, MAX_THREADS));
    this.#ahead = new Ahead({
      next: () => this.#comesNext(),
      prepare: (number) => prepareStep(this.#context, this.#planned.get(number)?.work),
    });
    this.#context = {
      options,
      task: this.name,
      of: task,
      applied: new Map<string, AppliedResource>(task.applied),
      earlier: Map.groupBy(earlier, ({ resource }) => resource),
      turns: new Map(),
      starts: new Starts(STARTS_AT_A_TIME),
      ahead: this.#ahead,
      deleted: task.deleted?.bind(task),
      cancelled: this.#cancelled.signal,
      closing: this.#closing.signal,
      onExecution: (number, id) => {
        this.#show(number, { execution: id });
        this.#ahead.look();
      },
      onOver: (number) => this.#leave(number),
    };
    this.ended = this.#run();
  }

  /** The current status. */
  status(): TaskStatus {
    return {
      state: this.#end?.state ?? 'executing',
      steps: [...this.#shown.values()].slice(0, MAX_TASK_STEPS),
      startedAt: this.#startedAt,
      ...(this.#end === undefined || this.#finishedAt === undefined ? {} : { finishedAt: this.#finishedAt }),
      ...(this.#end?.message === undefined ? {} : { message: this.#end.message }),
    };
  }

  step(number: string): TaskStep | undefined {
    return this.#shown.get(number);
  }

  /** Calls back with the number of each step that changes, and without one at the end. Returns a function that unsubscribes. */
  onChange(listener: (number?: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get followers(): number {
    return this.#listeners.size;
  }

  /** Starts nothing more, and aborts running commands. */
  cancel(by: string): void {
    this.#cancelledBy ??= by;
    this.#schedule.stop();
    this.#gather();
    this.#cancelled.abort();
  }

  /** For shutdown: commands are left running. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.ended;
    await this.#saving;
  }

  async #run(): Promise<TaskEnd | undefined> {
    // let the constructor's caller see the run first
    await Promise.resolve();
    try {
      await this.#runSteps();
      return await this.#finish(this.#outcome());
    } catch (error) {
      if (error instanceof Closing) return undefined;
      this.#options.logger.warn({ err: error, task: this.name }, 'A task broke off');
      return await this.#finish({ state: 'failed', message: failedBy(error).message }).catch(() => undefined);
    } finally {
      for (const listener of this.#listeners) listener();
    }
  }

  async #runSteps(): Promise<void> {
    const active = new Map<string, Promise<void>>();
    let broken: unknown;
    for (;;) {
      for (const number of this.#schedule.ready(this.#threads - this.#placed.size)) {
        this.#schedule.started(number);
        this.#placed.add(number);
        this.#gather();
        const work = this.#step(number)
          .catch((error: unknown) => {
            broken ??= error;
          })
          .finally(() => {
            active.delete(number);
            this.#leave(number);
          });
        active.set(number, work);
      }
      this.#gather();
      if (active.size === 0) break;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
      if (broken !== undefined) break;
    }
    if (broken !== undefined) {
      await Promise.all(active.values());
      throw broken;
    }
  }

  /** Steps to prepare: those that could start if there were free places. Empty while something is being started or the task is ending. */
  #comesNext(): string[] {
    const isOver = this.#cancelled.signal.aborted || this.#closing.signal.aborted;
    return isOver || !this.#context.starts.idle ? [] : this.#schedule.ready(this.#threads);
  }

  /** Frees the step's place for another. */
  #leave(number: string): void {
    this.#placed.delete(number);
    this.#wake.resolve();
  }

  async #step(number: string): Promise<void> {
    const work = this.#planned.get(number)?.work;
    const own = this.#task.own?.get(number);
    const end = work !== undefined ? await runStep(this.#context, { number, work }) : await this.#ownWork(own);
    if (this.#closing.signal.aborted) throw new Closing();
    this.#schedule.ended(number, end.state);
    const { state: _state, ...facts } = end;
    this.#show(number, facts);
  }

  async #ownWork(work: OwnWork | undefined): Promise<StepEnd> {
    try {
      const signal = AbortSignal.any([this.#cancelled.signal, this.#closing.signal]);
      await Promise.race([work?.(signal), aborted(this.#closing.signal)]);
      if (this.#closing.signal.aborted) throw new Closing();
      return { state: 'succeeded' };
    } catch (error) {
      if (this.#closing.signal.aborted) throw new Closing();
      return this.#cancelled.signal.aborted ? { state: 'cancelled' } : failedBy(error);
    }
  }

  #outcome(): TaskEnd {
    const state = this.#schedule.outcome();
    if (state === 'succeeded') return { state, message: undefined };
    if (this.#cancelledBy !== undefined) return { state: 'cancelled', message: shortened(`cancelled by ${this.#cancelledBy}`) };
    return { state, message: failureText([...this.#shown.values()]) };
  }

  /** Stores the end, with everything that depends on it in the same transaction. */
  async #finish(end: TaskEnd): Promise<TaskEnd | undefined> {
    clearTimeout(this.#timer);
    await this.#saving;
    for (let outcome = end; ; ) {
      if (this.#closing.signal.aborted) return undefined;
      try {
        this.#end = outcome;
        this.#finishedAt = toTimestamp(this.#options.now());
        await this.#storeEnd(outcome);
        return outcome;
      } catch (error) {
        this.#end = undefined;
        this.#options.logger.warn({ err: error, task: this.name }, 'The end of a task could not be stored');
        if (outcome.state === 'succeeded') outcome = { state: 'failed', message: failedBy(error).message };
        else await again(this.#closing.signal);
      }
    }
  }

  async #storeEnd(end: TaskEnd): Promise<void> {
    const { store } = this.#options;
    const settled = (await stepsOfTask(store.kv, this.name)).filter(({ ended }) => ended !== undefined);
    await store.transact(async (tx) => {
      await this.#task.finish?.(tx, end);
      for (const row of settled) dropStep(tx, row);
      await this.#put(tx);
    });
  }

  #show(number: string, facts: Partial<TaskStep>): void {
    const step = this.#shown.get(number);
    if (step !== undefined) this.#shown.set(number, { ...step, ...facts });
    this.#gather();
    this.#tell(number);
  }

  /** Takes over state changes from the schedule, and schedules a write of the Task. */
  #gather(): void {
    const now = toTimestamp(this.#options.now());
    for (const number of this.#schedule.changes()) {
      const step = this.#shown.get(number);
      if (step === undefined) continue;
      const state = this.#schedule.state(number);
      const started = state === 'executing' ? { startedAt: now } : {};
      const finished = state === 'executing' || state === 'skipped' ? {} : { finishedAt: now };
      this.#shown.set(number, { ...step, state, ...started, ...finished });
      this.#tell(number);
    }
    if (this.#timer !== undefined || this.#end !== undefined || this.#closing.signal.aborted) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#saving = this.#saving.then(() => this.#save());
      },
      GATHER_MS + this.#shown.size * GATHER_STEP_MS,
    );
    this.#timer.unref();
  }

  #tell(number: string): void {
    for (const listener of this.#listeners) listener(number);
  }

  async #save(): Promise<void> {
    if (this.#closing.signal.aborted || this.#end !== undefined) return;
    try {
      await this.#options.store.transact((tx) => this.#put(tx));
    } catch (error) {
      this.#options.logger.warn({ err: error, task: this.name }, 'The progress of a task could not be stored');
    }
  }

  async #put(tx: Transaction): Promise<void> {
    const stored = await tx.get(taskRef(this.#options.node, this.name));
    if (stored !== undefined) await tx.put({ ...stored, status: this.status() });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function again(closing: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, STORE_AGAIN_MS);
  const wake = () => resolve();
  closing.addEventListener('abort', wake, { once: true });
  await promise;
  clearTimeout(timer);
  closing.removeEventListener('abort', wake);
}
