import { z } from 'zod';
import { type ConditionNow, conditionFields, truth } from '../objects/conditions.ts';
import type { ApiObject } from '../objects/objects.ts';
import { type Kind, READ_VERBS } from './kind.ts';
import { TASK_STATES, TASKS, type TaskState } from './paths.ts';
import { commitId } from './service-instance.ts';

const TASK_ACTIONS = ['converge', 'delete', 'exec', 'drift'] as const;
export type TaskAction = (typeof TASK_ACTIONS)[number];

export { TASK_STATES, type TaskState };

/** A step of a task. Its number is its place in the tree: `3.1.2` is below `3.1`. Steps are listed in the order of the tree. */
const taskStep = z.object({
  number: z.string().max(64).describe('The position of the step in the tree: 3.1.2 is below 3.1.'),
  title: z.string().max(256).describe('A description of what the step does.'),
  state: z.enum(TASK_STATES).describe('The current state.'),
  resource: z.string().max(128).optional().describe('The resource whose command the step runs.'),
  node: z.string().max(253).optional().describe('The node on which the command runs.'),
  command: z.string().max(63).optional().describe('The command that the step runs.'),
  execution: z.string().max(64).optional().describe('The name of the Execution of the command.'),
  exitStatus: z.number().int().optional().describe('The exit status of the command.'),
  code: z.string().max(64).optional().describe('The error code, if there is one.'),
  message: z.string().max(1_024).optional().describe('Why it did not succeed.'),
  startedAt: z.string().max(40).optional().describe('When it started, in RFC 3339.'),
  finishedAt: z.string().max(40).optional().describe('When it ended, in RFC 3339.'),
});
export type TaskStep = z.infer<typeof taskStep>;

export const MAX_TASK_STEPS = 4_096;

const schema = z.object({
  spec: z
    .object({
      instance: z.string().max(40).describe('The name of the service instance.'),
      action: z.enum(TASK_ACTIONS).describe('The action performed on the service instance.'),
      title: z.string().max(256).describe('A description of the action.'),
      user: z.string().max(320).describe('The user who started the task.'),
      commit: commitId.optional().describe('The commit that the task converges to.'),
    })
    .describe('The definition of the task.'),
  status: z
    .object({
      state: z.enum(TASK_STATES).describe('The current state.'),
      steps: z.array(taskStep).max(MAX_TASK_STEPS).describe('The steps, in the order of the tree.'),
      startedAt: z.string().max(40).optional().describe('When it started, in RFC 3339.'),
      finishedAt: z.string().max(40).optional().describe('When it ended, in RFC 3339.'),
      message: z.string().max(1_024).optional().describe('Why it did not succeed.'),
      ...conditionFields,
    })
    .describe('The current state of the task.'),
});
export const taskSchema = schema;
export type TaskFields = z.infer<typeof schema>;

/** The reason of a condition for each state. */
const REASONS: Record<TaskState, string> = {
  created: 'Created',
  executing: 'Executing',
  succeeded: 'Succeeded',
  failed: 'Failed',
  cancelled: 'Cancelled',
  skipped: 'Skipped',
};

/** The fields that conditions depend on: a running task is written often, and may have thousands of steps. */
const statusShape = z.object({ state: z.enum(TASK_STATES), message: z.string().optional() });

/** Conditions as on a Kubernetes Job: Complete if it completed, Failed if it ended otherwise. */
function taskConditions(object: ApiObject): ConditionNow[] {
  const status = statusShape.safeParse(object['status']).data;
  if (status === undefined) return [];
  const { state, message } = status;
  const open = state === 'created' || state === 'executing';
  const complete = state === 'succeeded' || state === 'skipped';
  const said = { reason: REASONS[state], message };
  return [
    { type: 'Complete', status: truth(complete), ...said },
    { type: 'Failed', status: truth(!open && !complete), ...said },
  ];
}

/** Work on a service instance: the tree of its steps and the outcome of each. */
export const taskKind: Kind = {
  ...TASKS,
  kind: 'Task',
  singular: 'task',
  shortNames: [],
  shared: false,
  verbs: READ_VERBS,
  description: 'An action on a service instance, such as a converge: the tree of its steps and the state of each.',
  schema,
  serverFields: ['spec', 'status'],
  selectableFields: ['spec.instance', 'spec.action', 'status.state'],
  indexed: ['spec.instance', 'status.state'],
  columns: [
    { name: 'Service', type: 'string', description: 'service instance that it acts on', path: 'spec.instance', priority: 0 },
    { name: 'What', type: 'string', description: 'action that it performs', path: 'spec.title', priority: 0 },
    { name: 'User', type: 'string', description: 'who started it', path: 'spec.user', priority: 1 },
    { name: 'State', type: 'string', description: 'state of the task', path: 'status.state', priority: 0 },
    {
      name: 'Steps',
      type: 'string',
      description: 'commands that have ended, of all commands',
      value: (object) => {
        const steps = (schema.safeParse(object).data?.status.steps ?? []).filter((step) => step.command !== undefined);
        return `${steps.filter(({ state }) => state !== 'created' && state !== 'executing').length}/${steps.length}`;
      },
      priority: 0,
    },
    { name: 'Started', type: 'date', description: 'when it started', path: 'status.startedAt', priority: 1 },
  ],
  conditions: taskConditions,
};
