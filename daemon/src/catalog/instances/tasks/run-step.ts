/**
 * Runs one step of a task: its command, with retries where they are allowed, until it has ended and that is recorded. First waits
 * for any command of an interrupted task that may still run on the same resource, and takes that command's end if it did what
 * this step is to do.
 */
import { durationMs } from '../../../../../protocol/definitions/commands.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../../../../protocol/kinds/execution.ts';
import { OPERATOR, type OperatorPrincipal } from '../../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import type { AppliedResource, CommandEnd, PlannedStep, PreparedCommand, StartedCommand } from '../instances.types.ts';
import type { Ahead } from './ahead.ts';
import { begun, encodeApplied, putApplied } from './applied-rows.ts';
import { CANCEL_MS, MAX_RETRY_MS, ROOM_MS } from './limits.ts';
import { settle, settleUnrun } from './settling.ts';
import type { Starts } from './starts.ts';
import { isOpen, isWorthRetrying, stepEnd } from './step-end.ts';
import { putStep } from './step-rows.ts';
import { shortened } from './task-object.ts';
import type { Deleted, StepEnd, StepRow, TasksOptions, TaskToRun } from './tasks.types.ts';

/** The principal with which this node looks after executions that it has started itself. */
export const SELF_OPERATOR: OperatorPrincipal = { type: 'operator', name: OPERATOR };

export type Work = NonNullable<PlannedStep['work']>;

/** The daemon is shutting down: commands are left running, and nothing more is recorded. */
export class Closing extends Error {}

/** What all steps of a task share. */
export interface StepContext {
  options: TasksOptions;
  /** Name of the task. */
  task: string;
  of: Pick<TaskToRun, 'instance' | 'principal' | 'timeout' | 'goals'>;
  /** The rows of resources, updated with each write. */
  applied: Map<string, AppliedResource>;
  /** Commands of earlier tasks whose ends are not known, by resource. */
  earlier: ReadonlyMap<string, StepRow[]>;
  /** The last waiter for such commands, by resource: steps take turns. */
  turns: Map<string, Promise<void>>;
  /** Limits how many commands are being started at a time. */
  starts: Starts;
  /** Commands that were prepared before their turn. */
  ahead: Pick<Ahead, 'take'>;
  deleted: Deleted | undefined;
  /** Aborted when somebody cancels the task. */
  cancelled: AbortSignal;
  /** Aborted when the daemon shuts down. */
  closing: AbortSignal;
  /** Called once the step's command has an execution. */
  onExecution(number: string, id: string): void;
  /** Called when nothing of the step runs any more and only its success remains to be recorded. */
  onOver(number: string): void;
}

/** Rejects with Closing only. */
export async function runStep(context: StepContext, { number, work }: { number: string; work: Work }): Promise<StepEnd> {
  try {
    const taken = await takeEarlier(context, number, work);
    if (taken !== undefined) return taken;
    if (context.cancelled.aborted) return { state: 'cancelled' };
    if (work.command === undefined) {
      await settleUnrun(context.options, context.applied, partOfRow(context, work), context.deleted);
      return { state: 'succeeded' };
    }
    return await runCommand(context, number, work, work.command);
  } catch (error) {
    if (error instanceof Closing || context.closing.aborted) throw new Closing();
    return failedBy(error);
  }
}

/** The end of a step that was refused or failed with an error. */
export function failedBy(error: unknown): StepEnd {
  if (error instanceof DtkdError) {
    const said = error.next === undefined ? error.message : `${error.message}. ${error.next}`;
    return { state: 'failed', code: error.code, message: shortened(said) };
  }
  return { state: 'failed', code: 'INTERNAL', message: 'something unexpected happened; see the log of the daemon' };
}

async function runCommand(context: StepContext, number: string, work: Work, command: string): Promise<StepEnd> {
  const { options, task, applied, cancelled } = context;
  const attempts = work.retry?.attempts ?? 1;
  let delay = work.retry?.delayMs ?? 0;
  for (let attempt = 1; ; attempt++) {
    const row = { ...partOfRow(context, work), task, number, node: work.node, command, options: work.options, startedAt: options.now() };
    const started = await startCommand(context, row, work);
    if (started === undefined) return { state: 'cancelled' };
    const { id, nothing = false } = started;
    if (!nothing) context.onExecution(number, id);
    const end: CommandEnd | undefined = nothing ? { outcome: 'succeeded' } : await endOf(context, id, () => context.onOver(number));
    assertOpen(context);
    if (end === undefined) return { state: 'cancelled', message: 'it was told to stop, but may still run' };
    if (attempt < attempts && isWorthRetrying(end) && !cancelled.aborted) {
      await rest(context, Math.min(delay, MAX_RETRY_MS));
      delay *= work.retry?.backoff ?? 1;
      if (!cancelled.aborted) continue;
    }
    // only a failure is explained by the output; an unknown end is not
    const tail = end.outcome !== 'failed' ? '' : await options.commands.tail(SELF_OPERATOR, id).catch(() => '');
    assertOpen(context);
    const shown = stepEnd(end, tail, {
      ignoreFailure: work.ignoreFailure === true,
      cancelled: cancelled.aborted,
      check: work.act === 'check',
    });
    // the next task looks again at a command that may still run
    if (!isOpen(end)) {
      await settle(options, applied, { row: { ...row, execution: id }, end: shown, command: end, earlier: false }, context.deleted);
    }
    return shown;
  }
}

/**
 * Starts the command and writes its rows in the same transaction. Undefined: the task was cancelled before that. Errors: those of
 * planning.
 */
async function startCommand(context: StepContext, row: Omit<StepRow, 'execution'>, work: Work): Promise<StartedCommand | undefined> {
  const { options, of, applied, cancelled } = context;
  const underWay = row.act === 'run' || row.act === 'check' ? undefined : begun(row.act, applied.get(row.resource), row.goal);
  if (underWay !== undefined) encodeApplied(underWay);
  for (let wait = ROOM_MS.first; ; wait = Math.min(wait * 2, ROOM_MS.last)) {
    assertOpen(context);
    if (cancelled.aborted) return undefined;
    try {
      const started = await context.starts.turn(async () => {
        assertOpen(context);
        if (cancelled.aborted) return undefined;
        const record = (tx: Transaction, execution: string): void => {
          putStep(tx, { ...row, execution });
          if (underWay !== undefined) putApplied(tx, of.instance, underWay);
        };
        const prepared = await context.ahead.take(row.number);
        assertOpen(context);
        if (cancelled.aborted) return undefined;
        return prepared?.start(record) ?? options.commands.start(of.principal, requestOf(context, work, row.command), record);
      });
      assertOpen(context);
      if (started === undefined) return undefined;
      if (underWay !== undefined) applied.set(row.resource, underWay);
      return started;
    } catch (error) {
      if (!(error instanceof DtkdError) || error.code !== 'TOO_MANY_REQUESTS') throw error;
      await rest(context, wait);
    }
  }
}

/** Plans the command of a step before its turn. Undefined: the step has no command, or depends on how an earlier task's command ends. */
export function prepareStep(
  context: Pick<StepContext, 'options' | 'of' | 'earlier'>,
  work: Work | undefined,
): Promise<PreparedCommand> | undefined {
  if (work?.command === undefined || context.earlier.has(work.resource)) return undefined;
  return context.options.commands.prepare(context.of.principal, requestOf(context, work, work.command));
}

function requestOf(
  { options, of }: Pick<StepContext, 'options' | 'of'>,
  { resource, node, options: given, timeout }: Work,
  command: string,
): DispatchRequestSpec {
  const atMost = shorter(timeout, of.timeout);
  return {
    model: `${options.node}/${of.instance}`,
    resource,
    command,
    options: { ...given },
    only: [node],
    threads: 1,
    ...(atMost === undefined ? {} : { timeout: atMost }),
  };
}

/** The shorter of the step's own limit and the task's. Undefined if neither is set. */
function shorter(own: string | undefined, all: string | undefined): string | undefined {
  if (own === undefined || all === undefined) return own ?? all;
  return durationMs(own) <= durationMs(all) ? own : all;
}

/**
 * How an execution ended. After a cancel the execution is aborted and given CANCEL_MS to end; undefined if it does not, or if the
 * daemon shuts down.
 */
async function endOf({ options, cancelled, closing }: StepContext, id: string, succeeded?: () => void): Promise<CommandEnd | undefined> {
  const { commands, logger } = options;
  const given = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const stop = () => given.abort();
  const cancel = () => {
    timer = setTimeout(stop, CANCEL_MS);
    commands.abort(SELF_OPERATOR, id).catch((err: unknown) => logger.warn({ err, id }, 'A command could not be told to stop'));
  };
  closing.addEventListener('abort', stop, { once: true });
  cancelled.addEventListener('abort', cancel, { once: true });
  if (closing.aborted) stop();
  else if (cancelled.aborted) cancel();
  try {
    return await Promise.race([commands.ended(SELF_OPERATOR, id, given.signal, succeeded), broken(given.signal)]);
  } catch (error) {
    if (given.signal.aborted) return undefined;
    logger.warn({ err: error, id }, 'It could not be found out how a command ended');
    return { outcome: 'unknown', reason: error instanceof DtkdError ? error.message : 'it could not be found out how it ended' };
  } finally {
    clearTimeout(timer);
    closing.removeEventListener('abort', stop);
    cancelled.removeEventListener('abort', cancel);
  }
}

/**
 * Waits for commands that an earlier task left on the resource, one step per resource at a time. Returns the end of one that did
 * what this step is to do.
 */
async function takeEarlier(context: StepContext, number: string, work: Work): Promise<StepEnd | undefined> {
  const { earlier, turns } = context;
  if (!earlier.has(work.resource)) return undefined;
  const turn = (turns.get(work.resource) ?? Promise.resolve()).then(() => takeRows(context, number, work));
  turns.set(
    work.resource,
    turn.then(
      () => undefined,
      () => undefined,
    ),
  );
  return turn;
}

async function takeRows(context: StepContext, number: string, work: Work): Promise<StepEnd | undefined> {
  const rows = context.earlier.get(work.resource) ?? [];
  for (let row = rows.shift(); row !== undefined; row = rows.shift()) {
    const same = isSame(row, work, goalOf(context, work));
    if (same) context.onExecution(number, row.execution);
    const end = await endOf(context, row.execution);
    assertOpen(context);
    if (end === undefined) return { state: 'cancelled', message: 'it was told to stop, but may still run' };
    const shown = stepEnd(end, '', { check: row.act === 'check' });
    await settle(context.options, context.applied, { row, end: shown, command: end, earlier: true }, context.deleted);
    if (same && end.outcome === 'succeeded') return shown;
  }
  return undefined;
}

function isSame(row: StepRow, work: Work, goal: AppliedResource | undefined): boolean {
  if (row.node !== work.node || row.act !== work.act) return false;
  if (row.act === 'create' || row.act === 'converge') return goal !== undefined && row.goal?.digest === goal.digest;
  if (row.act === 'delete') return true;
  return row.command === work.command && JSON.stringify(row.options) === JSON.stringify(work.options);
}

function goalOf({ of }: StepContext, { act, resource, due }: Work): AppliedResource | undefined {
  const goal = act === 'create' || act === 'converge' ? of.goals.get(resource) : undefined;
  return goal === undefined || due === undefined || due.length === 0 ? goal : { ...goal, due };
}

/** The fields of a step's row that do not depend on a command. */
function partOfRow(context: StepContext, work: Work): Pick<StepRow, 'instance' | 'resource' | 'act' | 'goal' | 'settles'> {
  const goal = goalOf(context, work);
  return {
    instance: context.of.instance,
    resource: work.resource,
    act: work.act,
    ...(goal === undefined ? {} : { goal }),
    ...(work.settles === undefined ? {} : { settles: work.settles }),
  };
}

function assertOpen({ closing }: StepContext): void {
  if (closing.aborted) throw new Closing();
}

/** Waits `ms`, or until the task is cancelled. Errors: Closing. */
async function rest(context: StepContext, ms: number): Promise<void> {
  const { cancelled, closing } = context;
  if (ms > 0 && !cancelled.aborted && !closing.aborted) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const timer = setTimeout(wake, ms);
    for (const signal of [cancelled, closing]) signal.addEventListener('abort', wake, { once: true });
    await promise;
    clearTimeout(timer);
    for (const signal of [cancelled, closing]) signal.removeEventListener('abort', wake);
  }
  assertOpen(context);
}

function broken(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('given up')), { once: true });
    if (signal.aborted) reject(new Error('given up'));
  });
}
