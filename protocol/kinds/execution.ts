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
  include: z
    .array(z.string().max(4_096))
    .max(64)
    .optional()
    .describe('Node filters, in the syntax of -I. A node is chosen if any of them matches it.'),
  exclude: z
    .array(z.string().max(4_096))
    .max(64)
    .optional()
    .describe('Node filters, in the syntax of -X. A node is left out if any of them matches it.'),
  excludePrecedence: z.boolean().optional().describe('Whether a node that matches both include and exclude is left out. Default: true.'),
});
export type NodeFilter = z.infer<typeof nodeFilter>;

/** A user's request, from which the daemon makes a plan. */
export const dispatchRequestSpec = z.object({
  model: z
    .string()
    .max(253)
    .optional()
    .describe('The model of the resources: MODEL, or NODE/MODEL if several nodes have a model of that name.'),
  type: z.string().max(MAX_TYPE_NAME).optional().describe('The type of the resources.'),
  resource: z.string().max(253).optional().describe('The name of the resource. Default: all resources of the type.'),
  command: z
    .string()
    .max(63)
    .optional()
    .describe('The command to run on the resources. Exactly one of command, exec, put and get is required.'),
  options: z.record(z.string().max(63), z.string().max(16_384)).optional().describe('The options of the command, by name.'),
  exec: z
    .object({
      argv: z.array(z.string().max(131_072)).min(1).max(1_024).describe('The program and its arguments.'),
      env: z.record(z.string().max(128), z.string().max(16_384)).optional().describe('Environment variables for the program.'),
      directory: z.string().max(4_096).optional().describe('The working directory of the program.'),
      user: z.string().max(64).optional().describe('The user to run the program as. Default: the user of the daemon.'),
    })
    .optional()
    .describe('A program to run.'),
  put: z
    .object({
      digest: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .describe('The SHA-256 of the content.'),
      size: z.number().int().nonnegative().describe('The size of the file, in bytes.'),
      mode: z.number().int().min(0).max(0o777).describe('The permission bits of the file.'),
      path: z.string().max(4_096).describe('The absolute path of the file on the targets.'),
    })
    .optional()
    .describe('A file to write on the targets. Its content must have been uploaded to this daemon before.'),
  get: z
    .object({ path: z.string().max(4_096).describe('The absolute path of the file on the targets.') })
    .optional()
    .describe('A file to read from the targets.'),
  filter: nodeFilter.optional().describe('The nodes to run on. Default: this node only.'),
  only: z
    .array(z.string().max(253))
    .max(4_096)
    .optional()
    .describe('Names of nodes. If set, only nodes of the filter that are also listed here are targets.'),
  allowEmpty: z.boolean().optional().describe('Whether a plan without targets is accepted. Default: false, which refuses it.'),
  threads: z.number().int().min(1).max(1_024).optional().describe('The maximum number of targets that run at the same time. Default: 1.'),
  keepGoing: z.boolean().optional().describe('Whether the remaining targets are started after a failure. Default: false.'),
  batch: z
    .string()
    .regex(/^[0-9]{1,6}%?$/)
    .optional()
    .describe('The number or percentage of targets in a batch. Batches run one after another. Default: one batch of all targets.'),
  pauseOnFailure: z
    .boolean()
    .optional()
    .describe('Whether to pause after a batch with a failure, until the execution is resumed or aborted. Default: false.'),
  timeout: durationText.optional().describe('The maximum time on each target. Default: 1h.'),
  queue: durationText.optional().describe('How long orders for unreachable nodes are held, at most 7d. Default: they are not held.'),
  retryOf: z.string().max(64).optional().describe('The execution whose unsuccessful targets this one retries.'),
});
export type DispatchRequestSpec = z.infer<typeof dispatchRequestSpec>;

export { EXECUTION_PHASES } from '../orders/words.ts';

export const plannedTarget = planEntry.extend({
  index: z.number().int().nonnegative().describe('The number of the target in the plan, from 0.'),
  stage: z.number().int().nonnegative().describe('The stage that the target belongs to. Stages run one after another.'),
});
export type PlannedTarget = z.infer<typeof plannedTarget>;

const schema = z.object({
  spec: z
    .object({
      starter: z.string().max(253).describe('The node that started the execution.'),
      user: z.string().max(320).describe('The user who started the execution.'),
      request: dispatchRequestSpec.optional().describe('The request that the plan was made from. Set only on the starting node.'),
      header: z.string().max(4_096).describe('The header of the plan, as CBOR in base64. Its SHA-256 is the name of the object.'),
      targets: z
        .array(plannedTarget)
        .max(2_000)
        .describe('The targets of the plan: all of them on the starting node, only its own on a target.'),
    })
    .describe('The plan, fixed when the execution started.'),
  status: z
    .object({
      phase: z.enum(EXECUTION_PHASES).describe('The phase of the execution: Running, Paused or Finished.'),
      parts: z.array(part).max(2_000).describe('The state of each target.'),
      startedAt: z.string().max(40).optional().describe('When the execution started, in RFC 3339.'),
      finishedAt: z.string().max(40).optional().describe('When the execution ended, in RFC 3339.'),
      message: z.string().max(1_024).optional().describe('A message about the state of the execution.'),
      pauses: z.number().int().positive().optional().describe('How often the execution has paused. Set only on the starting node.'),
      ...conditionFields,
    })
    .optional()
    .describe('The current state of the execution.'),
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
  description: 'A run of a command: its plan, fixed at the start, and the state of each target. Each target keeps its own part.',
  schema,
  serverFields: ['spec', 'status'],
  selectableFields: ['spec.starter', 'spec.user', 'status.phase'],
  columns: [
    {
      name: 'What',
      type: 'string',
      description: 'what the targets run',
      value: (object) => schema.safeParse(object).data?.status?.parts[0]?.what,
      priority: 0,
    },
    { name: 'User', type: 'string', description: 'who started it', path: 'spec.user', priority: 0 },
    { name: 'Starter', type: 'string', description: 'node that started it', path: 'spec.starter', priority: 0 },
    { name: 'Phase', type: 'string', description: 'Running, Paused or Finished', path: 'status.phase', priority: 0 },
    { name: 'Targets', type: 'string', description: 'number of targets by outcome', value: countsOf, priority: 0 },
  ],
  conditions: executionConditions,
};
