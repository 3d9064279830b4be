/** A task as the command line sees it: parsed from the daemon's JSON, and updated by the lines of a follow. No I/O. */
import type { z } from 'zod';
import { TASK_STATES, type TaskState } from '../../protocol/kinds/paths.ts';
import type { TaskStep } from '../../protocol/kinds/task.ts';
import type { taskLine } from '../../protocol/requests/service.ts';
import { listAt, numberAt, textAt, valueAt } from '../json.ts';
import { textsOf } from './plan.ts';

export type TaskLine = z.infer<typeof taskLine>;
export type OutputLine = Extract<TaskLine, { type: 'output' }>;
export type CutLine = Extract<TaskLine, { type: 'cut' }>;

export interface TaskView {
  name: string;
  title: string;
  state: TaskState;
  message: string | undefined;
  startedAt: string | undefined;
  finishedAt: string | undefined;
  /** By number. */
  steps: Map<string, TaskStep>;
}

const STEP_TEXTS = ['number', 'title', 'resource', 'node', 'command', 'execution', 'code', 'message', 'startedAt', 'finishedAt'] as const;

export function emptyTask(name: string): TaskView {
  return { name, title: '', state: 'created', message: undefined, startedAt: undefined, finishedAt: undefined, steps: new Map() };
}

/** Parses a Task object. */
export function taskOf(object: unknown): TaskView {
  return {
    name: textAt(object, 'metadata', 'name') ?? '',
    title: textAt(object, 'spec', 'title') ?? '',
    state: stateOf(textAt(object, 'status', 'state')) ?? 'created',
    message: textAt(object, 'status', 'message'),
    startedAt: textAt(object, 'status', 'startedAt'),
    finishedAt: textAt(object, 'status', 'finishedAt'),
    steps: stepsOf(listAt(object, 'status', 'steps')),
  };
}

/** Parses a line. Undefined if this dtkd does not know it: a newer daemon may send more. */
export function taskLineOf(value: unknown): TaskLine | undefined {
  const type = textAt(value, 'type');
  const { state, title, number, resource, node, text, message, execution, next } = textsOf(
    value,
    ...(['state', 'title', 'number', 'resource', 'node', 'text', 'message', 'execution', 'next'] as const),
  );
  switch (type) {
    case 'task':
      return state === undefined || title === undefined ? undefined : { type, state, title, steps: listAt(value, 'steps') };
    case 'step':
      return { type, step: valueAt(value, 'step') };
    case 'output': {
      const stream = textAt(value, 'stream');
      if (number === undefined || resource === undefined || node === undefined || text === undefined) return undefined;
      return stream === 'out' || stream === 'err' ? { type, number, resource, node, stream, text } : undefined;
    }
    case 'cut': {
      if (number === undefined || resource === undefined || node === undefined) return undefined;
      return execution === undefined || next === undefined ? undefined : { type, number, resource, node, execution, next };
    }
    case 'end':
      return state === undefined ? undefined : { type, state, ...(message === undefined ? {} : { message }) };
    default:
      return undefined;
  }
}

/** Updates a task by a line. */
export function applyLine(task: TaskView, line: TaskLine): void {
  switch (line.type) {
    case 'task':
      task.title = line.title;
      task.state = stateOf(line.state) ?? task.state;
      task.steps = stepsOf(line.steps);
      break;
    case 'step': {
      const step = stepOf(line.step);
      if (step !== undefined) task.steps.set(step.number, step);
      break;
    }
    case 'output':
    case 'cut':
      break;
    case 'end':
      task.state = stateOf(line.state) ?? task.state;
      task.message = line.message;
      break;
  }
}

function stepsOf(values: readonly unknown[]): Map<string, TaskStep> {
  const steps = values.flatMap((value) => stepOf(value) ?? []);
  return new Map(steps.map((step) => [step.number, step]));
}

function stepOf(value: unknown): TaskStep | undefined {
  const { number, title, ...texts } = textsOf(value, ...STEP_TEXTS);
  const state = stateOf(textAt(value, 'state'));
  if (number === undefined || title === undefined || state === undefined) return undefined;
  const exitStatus = numberAt(value, 'exitStatus');
  return { number, title, state, ...texts, ...(exitStatus === undefined ? {} : { exitStatus }) };
}

function stateOf(text: string | undefined): TaskState | undefined {
  return TASK_STATES.find((known) => known === text);
}

/** Steps in the order of the tree: `1.9`, `1.10`, `2`. */
export function stepsInOrder({ steps }: Pick<TaskView, 'steps'>): TaskStep[] {
  return [...steps.values()].sort((a, b) => compareNumbers(a.number, b.number));
}

export function compareNumbers(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    // a step comes before the steps below it
    const order = (left[at] ?? -1) - (right[at] ?? -1);
    if (order !== 0) return order;
  }
  return 0;
}

/** Steps without steps below them: they do the work. */
export function leavesOf(task: Pick<TaskView, 'steps'>): TaskStep[] {
  const above = new Set([...task.steps.keys()].map((number) => number.slice(0, Math.max(0, number.lastIndexOf('.')))));
  return stepsInOrder(task).filter(({ number }) => !above.has(number));
}

/** True if no step is below it. Cheaper than `leavesOf`, which would sort a large tree for each line that comes. */
export function isLeaf({ steps }: Pick<TaskView, 'steps'>, { number }: TaskStep): boolean {
  for (const other of steps.keys()) if (other.startsWith(`${number}.`)) return false;
  return true;
}

export function hasEnded(state: TaskState): boolean {
  return state !== 'created' && state !== 'executing';
}

/** A title, indented by the depth of its step. */
export function indented(number: string, title: string): string {
  return `${'  '.repeat(Math.min(16, number.split('.').length - 1))}${title}`;
}
