import { z } from 'zod';
import { durationText } from '../definitions/commands.ts';
import { MAX_TYPE_NAME } from '../definitions/type-rules.ts';
import { type ConditionNow, conditionFields, truth } from '../objects/conditions.ts';
import type { ApiObject } from '../objects/objects.ts';
import { planEntry } from '../orders/order.ts';
import { part } from '../orders/outcome.ts';
import { EXECUTION_PHASES } from '../orders/words.ts';
import { type Kind, READ_VERBS } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

/** Selects nodes, by texts as for `-I` and `-X`. */
const nodeFilter = z.object({
  include: z.array(z.string().max(4_096)).max(64).optional().describe('Nodes that one of these matches, as -I takes them.'),
  exclude: z.array(z.string().max(4_096)).max(64).optional().describe('But none that one of these matches, as -X takes them.'),
  excludePrecedence: z.boolean().optional().describe('A node that both match is left out. Default: true.'),
});
export type NodeFilter = z.infer<typeof nodeFilter>;

/** A user's request, from which the daemon makes a plan. */
export const dispatchRequestSpec = z.object({
  model: z.string().max(253).optional().describe('MODEL, or NODE/MODEL where several nodes have one of that name.'),
  type: z.string().max(MAX_TYPE_NAME).optional().describe('Type of the resources.'),
  resource: z.string().max(253).optional().describe('Name of the resource. Absent: all of the type.'),
  command: z.string().max(63).optional().describe('A command of the resources. Exactly one of command, exec, put and get.'),
  options: z.record(z.string().max(63), z.string().max(16_384)).optional().describe('Options of the command.'),
  exec: z
    .object({
      argv: z.array(z.string().max(131_072)).min(1).max(1_024).describe('The program and its arguments.'),
      env: z.record(z.string().max(128), z.string().max(16_384)).optional().describe('Variables that it gets.'),
      directory: z.string().max(4_096).optional().describe('Where it is started.'),
      user: z.string().max(64).optional().describe("As whom. Default: the daemon's own user."),
    })
    .optional()
    .describe('A program to run.'),
  put: z
    .object({
      digest: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .describe('SHA-256 of its content.'),
      size: z.number().int().nonnegative().describe('Its bytes.'),
      mode: z.number().int().min(0).max(0o777).describe('Its permissions.'),
      path: z.string().max(4_096).describe('Where it goes.'),
    })
    .optional()
    .describe('A file to put in place, whose content this daemon was given before.'),
  get: z
    .object({ path: z.string().max(4_096).describe('Where it is.') })
    .optional()
    .describe('A file to read.'),
  filter: nodeFilter.optional().describe('On which nodes. Absent: this node alone.'),
  only: z
    .array(z.string().max(253))
    .max(4_096)
    .optional()
    .describe('Names of nodes: narrows what the filter gives (a file of failed nodes, a retry).'),
  allowEmpty: z.boolean().optional().describe('No target is no failure.'),
  threads: z.number().int().min(1).max(1_024).optional().describe('Targets at a time. Default: 1.'),
  keepGoing: z.boolean().optional().describe('A failure does not keep the rest from being started.'),
  batch: z
    .string()
    .regex(/^[0-9]{1,6}%?$/)
    .optional()
    .describe('So many targets, or such a part of them, then the next.'),
  pauseOnFailure: z.boolean().optional().describe('Wait for resume or abort after a batch in which a target did not succeed.'),
  timeout: durationText.optional().describe('How long each target may take. Default: 1h.'),
  queue: durationText.optional().describe('Orders for nodes that are away are held so long.'),
  retryOf: z.string().max(64).optional().describe('The execution of which this takes the targets that did not succeed.'),
});
export type DispatchRequestSpec = z.infer<typeof dispatchRequestSpec>;

export { EXECUTION_PHASES } from '../orders/words.ts';

export const plannedTarget = planEntry.extend({
  index: z.number().int().nonnegative().describe('Its number in the plan.'),
  stage: z.number().int().nonnegative().describe('Stages run one after another.'),
});
export type PlannedTarget = z.infer<typeof plannedTarget>;

const schema = z.object({
  spec: z
    .object({
      starter: z.string().max(253).describe('Node that started it.'),
      user: z.string().max(320).describe('Who did.'),
      request: dispatchRequestSpec.optional().describe('On the starting node: what was asked for.'),
      header: z.string().max(4_096).describe('The header of the plan, base64 of CBOR; its hash is the name of the object.'),
      targets: z.array(plannedTarget).max(2_000).describe('On the starting node all targets, on a target its own.'),
    })
    .describe('The plan, as it was frozen.'),
  status: z
    .object({
      phase: z.enum(EXECUTION_PHASES).describe('Running, Paused or Finished.'),
      parts: z.array(part).max(2_000).describe('What became of each target.'),
      startedAt: z.string().max(40).optional().describe('When it began.'),
      finishedAt: z.string().max(40).optional().describe('When it ended.'),
      message: z.string().max(1_024).optional().describe('What is to be said of it.'),
      ...conditionFields,
    })
    .optional()
    .describe('What became of it.'),
});
export const executionSchema = schema;
export type ExecutionFields = z.infer<typeof schema>;

function counts(parts: readonly { state?: string | undefined; outcome?: string | undefined }[]): string {
  const by = new Map<string, number>();
  for (const { outcome, state = '' } of parts) by.set(outcome ?? state, (by.get(outcome ?? state) ?? 0) + 1);
  return [...by].map(([name, count]) => `${count} ${name}`).join(', ');
}

function countsOf(object: ApiObject): string {
  return counts(statusShape.safeParse(object['status']).data?.parts ?? []);
}

/** Conditions as on a Kubernetes Job: Complete if every target succeeded, Failed if it ended otherwise. */
function executionConditions(object: ApiObject): ConditionNow[] {
  const status = statusShape.safeParse(object['status']).data;
  if (status === undefined) return [];
  const { phase, parts, message } = status;
  const ended = phase === 'Finished';
  const succeeded = ended && parts.every(({ outcome }) => outcome === 'succeeded');
  const said = { reason: ended ? (succeeded ? 'Succeeded' : 'NotSucceeded') : phase, message: message ?? (ended ? counts(parts) : '') };
  return [
    { type: 'Complete', status: truth(succeeded), ...said },
    { type: 'Failed', status: truth(ended && !succeeded), ...said },
  ];
}

/** The fields that conditions depend on: a running execution is written often, and may have thousands of parts. */
const statusShape = z.object({
  phase: z.enum(EXECUTION_PHASES),
  parts: z.array(z.object({ state: z.string().optional(), outcome: z.string().optional() })),
  message: z.string().optional(),
});

/** A command on its targets: the frozen plan, and the outcome on each target. On a target: only its own part. */
export const executionKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Execution',
  plural: 'executions',
  singular: 'execution',
  shortNames: ['ex'],
  scope: 'Namespaced',
  shared: false,
  verbs: [...READ_VERBS, 'delete'],
  description: 'A command on its targets: the plan as it was frozen, and what became of each. Targets keep their own parts of it.',
  schema,
  serverFields: ['spec', 'status'],
  selectableFields: ['spec.starter', 'spec.user', 'status.phase'],
  columns: [
    {
      name: 'What',
      type: 'string',
      description: 'what runs',
      value: (object) => schema.safeParse(object).data?.status?.parts[0]?.what,
      priority: 0,
    },
    { name: 'User', type: 'string', description: 'who started it', path: 'spec.user', priority: 0 },
    { name: 'Starter', type: 'string', description: 'node that started it', path: 'spec.starter', priority: 0 },
    { name: 'Phase', type: 'string', description: 'Running, Paused or Finished', path: 'status.phase', priority: 0 },
    { name: 'Targets', type: 'string', description: 'targets by outcome', value: countsOf, priority: 0 },
  ],
  conditions: executionConditions,
};
