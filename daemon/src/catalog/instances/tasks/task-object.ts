/** Task objects: how they are made, and what they say. Pure. */
import { apiVersionOf } from '../../../../../protocol/kinds/kind.ts';
import { INSTANCE_CREATOR_ANNOTATION } from '../../../../../protocol/kinds/service-instance.ts';
import {
  MAX_TASK_STEPS,
  type TaskAction,
  type TaskFields,
  type TaskState,
  type TaskStep,
  taskKind,
  taskSchema,
} from '../../../../../protocol/kinds/task.ts';
import { type ApiObject, type ObjectRef, toTimestamp } from '../../../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION, displayOf, subjectText } from '../../../../../protocol/rights/principal.ts';
import type { PlannedStep } from '../instances.types.ts';
import { MAX_MESSAGE } from './limits.ts';
import type { StepEnd, StepRow, TaskToRun } from './tasks.types.ts';

const INTERRUPTED = 'interrupted: the daemon ended while it ran';

/** The message of a task that an earlier daemon left unfinished, with how to go on. */
export function interruptedText(instance: string, action: TaskAction): string {
  const again: Partial<Record<TaskAction, string>> = { converge: `dtkd converge ${instance}`, delete: `dtkd service delete ${instance}` };
  const next = again[action];
  return next === undefined ? INTERRUPTED : `${INTERRUPTED}; ${next} goes on`;
}

/** The message of a task's end, as the instance's state shows it. `settled`: nothing is left to resume. */
export function messageOf({ spec, status }: TaskFields, settled: boolean): string | undefined {
  const { message } = status;
  return settled && message === interruptedText(spec.instance, spec.action) ? INTERRUPTED : message;
}

export type TaskStatus = TaskFields['status'];

export function taskRef(node: string, name: string): ObjectRef {
  return { group: taskKind.group, plural: taskKind.plural, namespace: node, name };
}

export function taskName(instance: string, number: number): string {
  return `${instance}-${number}`;
}

export function fieldsOfTask(object: ApiObject): TaskFields | undefined {
  return taskSchema.safeParse(object).data;
}

/** The Task as it is first stored. `owner`: who made the instance. */
export function newTask(
  { node, name, now, owner }: { node: string; name: string; now: number; owner: string | undefined },
  { instance, principal, action, title, commit, plan }: Pick<TaskToRun, 'instance' | 'principal' | 'action' | 'title' | 'commit' | 'plan'>,
): ApiObject {
  const fields: TaskFields = {
    spec: { instance, action, title: title.slice(0, 256), user: displayOf(principal), ...(commit === undefined ? {} : { commit }) },
    status: { state: 'executing', steps: plan.steps.slice(0, MAX_TASK_STEPS).map(newStep), startedAt: toTimestamp(now) },
  };
  const annotations = {
    ...(principal.type === 'user' ? { [CREATOR_ANNOTATION]: subjectText(principal) } : {}),
    ...(owner === undefined ? {} : { [INSTANCE_CREATOR_ANNOTATION]: owner }),
  };
  return {
    apiVersion: apiVersionOf(taskKind),
    kind: taskKind.kind,
    metadata: {
      name,
      namespace: node,
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
      annotations,
    },
    ...fields,
  };
}

function newStep({ number, title, work }: PlannedStep): TaskStep {
  return {
    number,
    title: title.slice(0, 256),
    state: 'created',
    ...(work === undefined
      ? {}
      : { resource: work.resource, node: work.node, ...(work.command === undefined ? {} : { command: work.command }) }),
  };
}

/** The message of a failure that counts as success. */
export function notCounted(message = 'failed'): string {
  return shortened(`not counted: ${message}`);
}

/** Cuts a message to the length that a Task keeps. */
export function shortened(message: string, limit = MAX_MESSAGE): string {
  return message.length <= limit ? message : `${message.slice(0, limit - 1)}…`;
}

/**
 * The status of a task that an earlier daemon left unfinished: known ends of steps stay, running steps have failed, and the rest
 * is skipped.
 */
export function interruptedStatus(
  status: TaskStatus,
  rows: readonly StepRow[],
  { instance, action, now }: { instance: string; action: TaskAction; now: number },
): TaskStatus {
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  const steps = status.steps.map((step): TaskStep => {
    const row = byNumber.get(step.number);
    const known = row === undefined ? step : withRow(step, row);
    if (known.state === 'created') return { ...known, state: 'skipped' };
    return known.state === 'executing' ? { ...known, state: 'failed', message: INTERRUPTED } : known;
  });
  return {
    ...status,
    state: 'failed',
    steps: regrouped(steps),
    finishedAt: toTimestamp(now),
    message: interruptedText(instance, action),
  };
}

/** The message of a failed task whose steps all turned out to have succeeded. */
const FOUND_OUT = 'it was not known in time how a command ended; it is known now, and every step has succeeded';

/**
 * The status of a finished task once the end of one of its commands is known. The task's state stays: the steps that would have
 * followed were not run. Undefined: it has no such step.
 */
export function correctedStatus(
  status: TaskStatus,
  { number, execution }: Pick<StepRow, 'number' | 'execution'>,
  end: StepEnd,
  at: number,
): TaskStatus | undefined {
  const known = status.steps.find((step) => step.number === number && step.execution === execution);
  if (known === undefined) return undefined;
  const { exitStatus: _exitStatus, code: _code, message: _message, ...step } = known;
  const { state, message, ...facts } = end;
  const corrected: TaskStep =
    state === 'succeeded'
      ? { finishedAt: toTimestamp(at), ...step, ...facts, state }
      : { finishedAt: toTimestamp(at), ...step, ...facts, message: known.state === 'succeeded' ? notCounted(message) : message };
  const steps = regrouped(status.steps.map((one) => (one === known ? corrected : one)));
  const said = status.message === failureText(status.steps);
  const all = steps.every((one) => one.state === 'succeeded');
  return { ...status, steps, ...(said ? { message: all ? FOUND_OUT : failureText(steps) } : {}) };
}

function withRow(step: TaskStep, { execution, startedAt, ended }: StepRow): TaskStep {
  const started = { ...step, execution, startedAt: toTimestamp(startedAt) };
  if (ended === undefined) return { ...started, state: 'executing' };
  const { at, ...end } = ended;
  return { ...started, ...end, finishedAt: toTimestamp(at) };
}

/** Numbers of steps that have others below them. */
function groupsOf(steps: readonly TaskStep[]): Set<string> {
  const groups = new Set<string>();
  for (const { number } of steps) {
    for (let at = number.lastIndexOf('.'); at > 0; at = number.lastIndexOf('.', at - 1)) groups.add(number.slice(0, at));
  }
  return groups;
}

/** Sets the state of each group from the steps in it. */
function regrouped(steps: readonly TaskStep[]): TaskStep[] {
  const groups = groupsOf(steps);
  return steps.map((step) => (groups.has(step.number) ? { ...step, state: stateOfGroup(step.number, steps) } : step));
}

function stateOfGroup(number: string, steps: readonly TaskStep[]): TaskState {
  const states = new Set(steps.filter((step) => step.number.startsWith(`${number}.`)).map(({ state }) => state));
  if (states.has('failed')) return 'failed';
  if (states.has('cancelled')) return 'cancelled';
  return states.has('succeeded') && !states.has('skipped') ? 'succeeded' : 'skipped';
}

/** One sentence on why a task failed: its first failure. */
export function failureText(steps: readonly TaskStep[]): string {
  const groups = groupsOf(steps);
  const failed = steps.filter(({ state, number }) => state === 'failed' && !groups.has(number));
  const [first] = failed;
  if (first === undefined) return 'not all steps were run';
  const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
  return shortened(`${first.number} ${first.title}: ${first.message ?? 'failed'}${more}`);
}
