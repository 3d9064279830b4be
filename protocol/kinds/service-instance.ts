import { z } from 'zod';
import { partName } from '../definitions/assembly.ts';
import { moduleName, moduleVersion } from '../definitions/code.ts';
import { type ConditionNow, conditionFields, truth } from '../objects/conditions.ts';
import type { ApiObject } from '../objects/objects.ts';
import { ageOf } from '../text/age.ts';
import { type Kind, READ_VERBS } from './kind.ts';
import { SERVICE_INSTANCES } from './paths.ts';

/**
 * Staged: created, and not converged yet. Converging, Deleting: a task is running. Ready: everything was brought to the committed state.
 * Failed: a task did not complete; another converge continues it. Deleted: its resources are gone, its files are kept.
 */
export const INSTANCE_PHASES = ['Staged', 'Converging', 'Ready', 'Failed', 'Deleting', 'Deleted'] as const;
export type InstancePhase = (typeof INSTANCE_PHASES)[number];

/** Maximum number of drifted resources listed in an instance's object. */
export const MAX_DRIFTED = 64;

/** A commit of the instance's repository, 40 hex digits. */
export const commitId = z
  .string()
  .regex(/^[0-9a-f]{40}$/)
  .describe('A commit, 40 hexadecimal digits.');

/** On the target that is used if none is named. */
export const DEFAULT_TARGET_LABEL = 'dtkd.dev/default-target';
/** On Tasks: the creator of their service instance. Somebody else may later create another instance of the same name. */
export const INSTANCE_CREATOR_ANNOTATION = 'dtkd.dev/instance-creator';
/** On the Model, the Types and the Resources of an instance: its name. Only the daemon writes it. */
export const INSTANCE_LABEL = 'dtkd.dev/instance';
/** On an instance's Resources: the component that each belongs to. */
export const COMPONENT_LABEL = 'dtkd.dev/component';
/** On an instance's Resources that are being taken down: changes of their types do not wait for them. Only the daemon writes it. */
export const LEAVING_LABEL = 'dtkd.dev/leaving';

const schema = z.object({
  spec: z
    .object({
      module: moduleName,
      version: moduleVersion,
      assembly: partName.describe('Assembly that it was staged from.'),
      role: z.literal('target').optional().describe('target: others are staged against it.'),
      kind: partName.optional().describe('Of a target: what it is, for those that need one of this kind.'),
      target: partName.optional().describe('The service instance that it is staged against.'),
      directory: z.string().max(4_096).describe('Its repository, with the files to edit.'),
    })
    .describe('What it was staged from.'),
  status: z
    .object({
      phase: z.enum(INSTANCE_PHASES).describe('How far it is.'),
      head: commitId.optional().describe('The last commit.'),
      applied: commitId.optional().describe('The last commit to which everything was converged.'),
      appliedAt: z.string().max(40).optional().describe('When that was.'),
      task: z.string().max(64).optional().describe('The last task, or the one that runs.'),
      resources: z.number().int().nonnegative().optional().describe('Resources that are applied.'),
      nodes: z.array(z.string().max(253)).max(1_024).optional().describe('Nodes that have them.'),
      apps: z
        .array(
          z.object({ name: z.string().max(253).describe('Name of the dtApp.'), node: z.string().max(253).describe('Node that has it.') }),
        )
        .max(256)
        .optional()
        .describe('Apps of it.'),
      drift: z
        .object({
          at: z.string().max(40).describe('When it was found last.'),
          resources: z.array(z.string().max(128)).max(MAX_DRIFTED).describe('Resources that are not as they should be; the first of many.'),
        })
        .optional()
        .describe('What checks have found, until a converge brings it back or a check finds it as it should be.'),
      message: z.string().max(1_024).optional().describe('What is wrong, and what to do.'),
      ...conditionFields,
    })
    .optional()
    .describe('How far it is.'),
});
export const serviceInstanceSchema = schema;
export type ServiceInstanceFields = z.infer<typeof schema>;

/** Ready: everything was brought to the committed state; the reason is the phase. DriftFound: a check has since found a difference. */
function instanceConditions(object: ApiObject): ConditionNow[] {
  const status = schema.safeParse(object).data?.status;
  const phase = status?.phase ?? 'Staged';
  const drift = status?.drift;
  return [
    { type: 'Ready', status: truth(phase === 'Ready'), reason: phase, message: status?.message },
    {
      type: 'DriftFound',
      status: truth(drift !== undefined),
      reason: drift === undefined ? 'NoneFound' : 'CheckFailed',
      message: drift === undefined ? undefined : `not as it should be at ${drift.at}: ${drift.resources.join(', ')}`,
    },
  ];
}

/** Says "found … ago", since a bare age could be taken for the time without drift. */
function driftText(object: ApiObject, now: number): string | undefined {
  const at = schema.safeParse(object).data?.status?.drift?.at;
  return at === undefined ? undefined : `found ${ageOf(at, now)} ago`;
}

/** A staged assembly: its own copies of all modules, its own repository, and what of it is applied. */
export const serviceInstanceKind: Kind = {
  ...SERVICE_INSTANCES,
  kind: 'ServiceInstance',
  singular: 'serviceinstance',
  shortNames: ['si'],
  shared: false,
  verbs: [...READ_VERBS, 'delete'],
  description: 'An assembly as it was staged: its own copies of all modules, its own repository, and what of it is applied.',
  schema,
  serverFields: ['spec', 'status'],
  selectableFields: ['spec.module', 'spec.assembly', 'spec.target', 'spec.role', 'spec.kind', 'status.phase'],
  indexed: ['spec.target', 'spec.module'],
  columns: [
    { name: 'Module', type: 'string', description: 'module that it was staged from', path: 'spec.module', priority: 0 },
    { name: 'Version', type: 'string', description: 'its version', path: 'spec.version', priority: 0 },
    { name: 'Assembly', type: 'string', description: 'assembly that it was staged from', path: 'spec.assembly', priority: 0 },
    { name: 'Target', type: 'string', description: 'service that it is staged against', path: 'spec.target', priority: 0 },
    { name: 'Phase', type: 'string', description: 'how far it is', path: 'status.phase', priority: 0 },
    { name: 'Resources', type: 'integer', description: 'resources that are applied', path: 'status.resources', priority: 0 },
    {
      name: 'Drift',
      type: 'string',
      description: 'when a check last found that something is not as it should be',
      value: driftText,
      priority: 0,
    },
    {
      name: 'Nodes',
      type: 'string',
      description: 'nodes that have them',
      value: (object) => schema.safeParse(object).data?.status?.nodes?.join(','),
      priority: 1,
    },
    { name: 'Directory', type: 'string', description: 'its repository', path: 'spec.directory', priority: 1 },
  ],
  conditions: instanceConditions,
};
