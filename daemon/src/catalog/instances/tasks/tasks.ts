/**
 * Tasks of service instances, one at a time per instance. Owns the Task objects and the rows `i/a/…` (what is applied), `i/s/…`
 * (commands that were started) and `i/n/…` (counters). Guarantees that a command that ended well is known to have, whenever the
 * daemon dies; that no command starts while an earlier one may still run on the same resource; and that tasks left by an earlier
 * daemon are marked failed. Does not decide what is to be done.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { executionKind, executionSchema } from '../../../../../protocol/kinds/execution.ts';
import { type TaskAction, taskKind } from '../../../../../protocol/kinds/task.ts';
import type { ApiObject, ObjectRef } from '../../../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION, displayOf, type Principal } from '../../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import { instanceRef } from '../converge/instance-object.ts';
import type { AppliedResource } from '../instances.types.ts';
import { appliedOf } from './applied-rows.ts';
import { readCounters, writeCounters } from './counters.ts';
import { followTask, type TaskLine, type TaskView } from './follow.ts';
import { KEEP_TASKS, MAX_FOLLOWERS, SETTLE_MS } from './limits.ts';
import { SELF_OPERATOR } from './run-step.ts';
import { settle } from './settling.ts';
import { isOpen, stepEnd } from './step-end.ts';
import { dropStep, stepsOfTask, unsettledOf, unsettledRows } from './step-rows.ts';
import { fieldsOfTask, interruptedStatus, newTask, taskName, taskRef } from './task-object.ts';
import { TaskRun } from './task-run.ts';
import type { Deleted, StartedTask, StepRow, TasksOptions, TaskToRun } from './tasks.types.ts';

/** Interrupted tasks looked up after a restart. */
const PAGE = 1_000;
/** Tasks per page when all are read: they may be large. */
const LISTED = 20;

export interface Tasks {
  /** Creates the Task and runs it. Errors: CONFLICT while another task of the instance runs; those of `begin`. */
  start(task: TaskToRun): Promise<StartedTask>;
  /** The instance's running task. */
  running(instance: string): { name: string; title: string } | undefined;
  /** Errors: CONFLICT naming the task that runs. */
  assertIdle(instance: string): void;
  /** What is applied of an instance, by resource, including the ends of interrupted commands that are known by now. */
  applied(instance: string): Promise<Map<string, AppliedResource>>;
  /** Cancels a task and aborts its running commands. No effect if it has ended. Errors: NOT_FOUND. */
  cancel(principal: Principal, name: string): Promise<void>;
  /** Errors: NOT_FOUND, TOO_MANY_REQUESTS. */
  follow(
    principal: Principal,
    object: ApiObject,
    options: { of: 'all' | 'none' | { number: string }; signal: AbortSignal },
  ): AsyncIterable<TaskLine>;
  /**
   * Marks tasks left by an earlier daemon as failed, and watches for the ends of their commands. `interrupted` runs in the
   * transaction that marks them.
   */
  recover(interrupted: (tx: Transaction, instance: string, action: TaskAction) => Promise<void>): Promise<void>;
  /** Removes tasks of deleted instances, keeping only the newest of all of them together. Never rejects. */
  tidy(): Promise<void>;
  /** Starts no more commands, and leaves running ones alone. */
  close(): Promise<void>;
}

export function createTasks(options: TasksOptions): Tasks {
  return new InstanceTasks(options);
}

class InstanceTasks implements Tasks {
  readonly #options: TasksOptions;
  /** By instance. `run` undefined: it is being created. */
  readonly #running = new Map<string, { run: TaskRun | undefined; deleted: Deleted }>();
  /** Commands of finished tasks whose ends are not known, by execution. */
  readonly #unsettled = new Map<string, StepRow>();
  readonly #unsubscribe: () => void;
  #closed = false;

  constructor(options: TasksOptions) {
    this.#options = options;
    this.#unsubscribe = options.store.subscribe((changes) => {
      for (const { ref, object, type } of changes) {
        const row = ref.plural === executionKind.plural ? this.#unsettled.get(ref.name) : undefined;
        if (row === undefined) continue;
        if (type === 'DELETED') this.#unsettled.delete(ref.name);
        else if (isFinished(object)) void this.#settleEarlier(row, new Map());
      }
    });
  }

  running(instance: string): { name: string; title: string } | undefined {
    return this.#running.get(instance)?.run;
  }

  assertIdle(instance: string): void {
    const running = this.#running.get(instance);
    if (running === undefined) return;
    const { run } = running;
    const what = run === undefined ? 'a task is just being started' : `task ${run.name} (${run.title}) is running`;
    throw new DtkdError('CONFLICT', `of service "${instance}" ${what}; only one can run at a time`, {
      next:
        run === undefined
          ? 'Try again in a moment.'
          : `Follow it with "dtkd service task follow ${run.name}", or end it with "dtkd service task cancel ${run.name}".`,
      details: run === undefined ? {} : { task: run.name },
    });
  }

  async start(task: TaskToRun): Promise<StartedTask> {
    const { instance } = task;
    if (this.#closed) throw new DtkdError('UNAVAILABLE', 'this node is shutting down');
    this.assertIdle(instance);
    const { store } = this.#options;
    const deleted = task.deleted?.bind(task) ?? this.#options.deleted(instance);
    this.#running.set(instance, { run: undefined, deleted });
    try {
      const earlier = await unsettledOf(store.kv, instance);
      const object = await store.transact((tx) => this.#make(tx, task));
      if (this.#closed) throw new DtkdError('UNAVAILABLE', 'this node is shutting down');
      const run = new TaskRun(this.#options, { ...task, deleted }, object, earlier);
      this.#running.set(instance, { run, deleted });
      const told = run.ended.then((end) => {
        if (end !== undefined) task.over?.(end);
        return end;
      });
      const ended = told.finally(() => {
        this.#running.delete(instance);
        void this.#lookOut(instance);
      });
      return { name: run.name, object, ended };
    } catch (error) {
      this.#running.delete(instance);
      throw error;
    }
  }

  async #make(tx: Transaction, task: TaskToRun): Promise<ApiObject> {
    const { node, now } = this.#options;
    const { instance } = task;
    const counters = await readCounters(tx, instance);
    const number = counters.task + 1;
    const about = await tx.get(instanceRef(node, instance));
    const owner = about?.metadata.annotations?.[CREATOR_ANNOTATION];
    const object = newTask({ node, name: taskName(instance, number), now: now(), owner }, task);
    writeCounters(tx, instance, { ...counters, task: number });
    await task.begin?.(tx, object);
    if (number > KEEP_TASKS) await tx.delete(taskRef(node, taskName(instance, number - KEEP_TASKS)));
    return tx.put(object);
  }

  async applied(instance: string): Promise<Map<string, AppliedResource>> {
    const { store } = this.#options;
    const applied = await appliedOf(store.kv, instance);
    if (this.#running.has(instance)) return applied;
    const rows = await unsettledOf(store.kv, instance);
    await Promise.all(rows.map((row) => this.#settleEarlier(row, applied)));
    return applied;
  }

  /** Watches for the ends of commands that the last task left open. */
  async #lookOut(instance: string): Promise<void> {
    const { store, logger } = this.#options;
    if (this.#closed) return;
    try {
      const rows = await unsettledOf(store.kv, instance);
      for (const [execution, row] of this.#unsettled) if (row.instance === instance) this.#unsettled.delete(execution);
      for (const row of rows) this.#unsettled.set(row.execution, row);
    } catch (err) {
      logger.warn({ err, instance }, 'An interrupted task could not be examined');
    }
  }

  /** Settles the command if it has ended. One that runs, or may, is left to the next task. */
  async #settleEarlier(row: StepRow, applied: Map<string, AppliedResource>): Promise<void> {
    const { commands } = this.#options;
    // a running task may want the resource back that an earlier one was taking down
    const deleted: Deleted = (tx, resource) =>
      (this.#running.get(row.instance)?.deleted ?? this.#options.deleted(row.instance))(tx, resource);
    try {
      const end = await commands.ended(SELF_OPERATOR, row.execution, AbortSignal.timeout(SETTLE_MS));
      if (isOpen(end)) return;
      await settle(
        this.#options,
        applied,
        { row, end: stepEnd(end, '', { check: row.act === 'check' }), command: end, earlier: true },
        deleted,
      );
      this.#unsettled.delete(row.execution);
      await this.#options.settled(row.instance);
    } catch (error) {
      if (error instanceof DtkdError && error.code === 'NOT_FOUND') await this.#options.store.transact(async (tx) => dropStep(tx, row));
    }
  }

  async cancel(principal: Principal, name: string): Promise<void> {
    const run = this.#run(name);
    if (run !== undefined) return run.cancel(displayOf(principal));
    const { store, node } = this.#options;
    if ((await store.get(taskRef(node, name))) === undefined) throw new DtkdError('NOT_FOUND', `there is no task "${name.slice(0, 80)}"`);
  }

  follow(principal: Principal, object: ApiObject, { of, signal }: Parameters<Tasks['follow']>[2]): AsyncIterable<TaskLine> {
    const run = this.#run(object.metadata.name);
    if (run !== undefined && run.followers >= MAX_FOLLOWERS) {
      throw new DtkdError('TOO_MANY_REQUESTS', `${MAX_FOLLOWERS} follow task ${run.name} already`);
    }
    return followTask(run ?? storedTask(object), { principal, output: this.#options.output, of, signal });
  }

  async recover(interrupted: Parameters<Tasks['recover']>[0]): Promise<void> {
    const { store, node, now } = this.#options;
    const { group, plural } = taskKind;
    const left = await store.find({ group, plural, namespace: node, path: 'status.state', value: 'executing', limit: PAGE });
    for (const ref of left) {
      const rows = await stepsOfTask(store.kv, ref.name);
      await store.transact(async (tx) => {
        const object = await tx.get(ref);
        const fields = object === undefined ? undefined : fieldsOfTask(object);
        if (object === undefined || fields === undefined || fields.status.state !== 'executing') return;
        const { instance, action } = fields.spec;
        await interrupted(tx, instance, action);
        for (const row of rows) if (row.ended !== undefined) dropStep(tx, row);
        await tx.put({ ...object, status: interruptedStatus(fields.status, rows, { instance, action, now: now() }) });
      });
    }
    for (const row of await unsettledRows(store.kv)) this.#unsettled.set(row.execution, row);
  }

  async tidy(): Promise<void> {
    const { store, logger } = this.#options;
    try {
      const left = await this.#ofGone();
      const old = left.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)).slice(KEEP_TASKS);
      if (old.length === 0) return;
      await store.transact(async (tx) => {
        for (const { ref } of old) await tx.delete(ref);
      });
    } catch (err) {
      logger.warn({ err }, 'Old tasks of services that are gone could not be removed');
    }
  }

  /** All tasks whose instance no longer exists. */
  async #ofGone(): Promise<{ ref: ObjectRef; startedAt: string }[]> {
    const { store, node } = this.#options;
    const found: { ref: ObjectRef; startedAt: string }[] = [];
    const there = new Map<string, boolean>();
    let next: string | undefined;
    do {
      const { group, plural } = taskKind;
      const page = await store.list({ group, plural, namespace: node, limit: LISTED, ...(next === undefined ? {} : { continue: next }) });
      for (const object of page.items) {
        const fields = fieldsOfTask(object);
        if (fields === undefined) continue;
        const { instance } = fields.spec;
        if (!there.has(instance)) there.set(instance, (await store.get(instanceRef(node, instance))) !== undefined);
        if (there.get(instance) === false)
          found.push({ ref: taskRef(node, object.metadata.name), startedAt: fields.status.startedAt ?? '' });
      }
      next = page.continue;
    } while (next !== undefined);
    return found;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    await Promise.all([...this.#running.values()].map(({ run }) => run?.close()));
  }

  #run(name: string): TaskRun | undefined {
    for (const { run } of this.#running.values()) if (run?.name === name) return run;
    return undefined;
  }
}

function isFinished(execution: ApiObject): boolean {
  return executionSchema.shape.status.safeParse(execution['status']).data?.phase === 'Finished';
}

/** The view of a task that is over. */
function storedTask(object: ApiObject): TaskView {
  const fields = fieldsOfTask(object);
  const status = fields?.status ?? { state: 'failed' as const, steps: [] };
  return {
    title: fields?.spec.title ?? '',
    status: () => status,
    step: (number) => status.steps.find((step) => step.number === number),
    onChange: () => () => undefined,
    ended: Promise.resolve(),
  };
}
