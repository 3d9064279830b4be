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
  number: z.string().max(64).describe('Its place in the tree: 3.1.2 is below 3.1.'),
  title: z.string().max(256).describe('What it does, for people.'),
  state: z.enum(TASK_STATES).describe('How far it is.'),
  resource: z.string().max(128).optional().describe('Of a step that runs a command: its resource.'),
  node: z.string().max(253).optional().describe('Where the command runs.'),
  command: z.string().max(63).optional().describe('The command.'),
  execution: z.string().max(64).optional().describe('Name of its Execution.'),
  exitStatus: z.number().int().optional().describe('Its exit status.'),
  code: z.string().max(64).optional().describe('Code of the error, where there is one.'),
  message: z.string().max(1_024).optional().describe('Why it did not succeed.'),
  startedAt: z.string().max(40).optional().describe('When it began.'),
  finishedAt: z.string().max(40).optional().describe('When it ended.'),
});
export type TaskStep = z.infer<typeof taskStep>;

export const MAX_TASK_STEPS = 4_096;

const schema = z.object({
  spec: z
    .object({
      instance: z.string().max(40).describe('Service instance that it is about.'),
      action: z.enum(TASK_ACTIONS).describe('What is done with it.'),
      title: z.string().max(256).describe('The same, for people.'),
      user: z.string().max(320).describe('Who started it.'),
      commit: commitId.optional().describe('The commit that is converged to.'),
    })
    .describe('What is done.'),
  status: z
    .object({
      state: z.enum(TASK_STATES).describe('How far it is.'),
      steps: z.array(taskStep).max(MAX_TASK_STEPS).describe('Its steps, in the order of their tree.'),
      startedAt: z.string().max(40).optional().describe('When it began.'),
      finishedAt: z.string().max(40).optional().describe('When it ended.'),
      message: z.string().max(1_024).optional().describe('Why it did not succeed.'),
      ...conditionFields,
    })
    .describe('What became of it.'),
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
  description: 'What is, or was, done with a service instance: the tree of its steps and what became of each.',
  schema,
  serverFields: ['spec', 'status'],
  selectableFields: ['spec.instance', 'spec.action', 'status.state'],
  indexed: ['spec.instance', 'status.state'],
  columns: [
    { name: 'Service', type: 'string', description: 'service instance that it is about', path: 'spec.instance', priority: 0 },
    { name: 'What', type: 'string', description: 'what is done', path: 'spec.title', priority: 0 },
    { name: 'User', type: 'string', description: 'who started it', path: 'spec.user', priority: 1 },
    { name: 'State', type: 'string', description: 'how far it is', path: 'status.state', priority: 0 },
    {
      name: 'Steps',
      type: 'string',
      description: 'steps that have ended, of all',
      value: (object) => {
        const steps = (schema.safeParse(object).data?.status.steps ?? []).filter((step) => step.command !== undefined);
        return `${steps.filter(({ state }) => state !== 'created' && state !== 'executing').length}/${steps.length}`;
      },
      priority: 0,
    },
    { name: 'Started', type: 'date', description: 'when it began', path: 'status.startedAt', priority: 1 },
  ],
  conditions: taskConditions,
};
