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
  .describe('A commit ID, 40 hexadecimal digits.');

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
      assembly: partName.describe('The assembly that the instance was staged from.'),
      role: z.literal('target').optional().describe('Set to target if others can be staged against the instance.'),
      kind: partName.optional().describe('For a target: the kind of target that it is.'),
      target: partName.optional().describe('The service instance that this one is staged against.'),
      directory: z.string().max(4_096).describe('The directory of its Git repository, which has the files to edit.'),
    })
    .describe('What the instance was staged from.'),
  status: z
    .object({
      phase: z.enum(INSTANCE_PHASES).describe('The phase of the instance.'),
      head: commitId.optional().describe('The latest commit.'),
      applied: commitId.optional().describe('The latest commit that was applied completely.'),
      appliedAt: z.string().max(40).optional().describe('When that commit was applied, in RFC 3339.'),
      task: z.string().max(64).optional().describe('The name of the running task, or of the last one.'),
      resources: z.number().int().nonnegative().optional().describe('The number of applied resources.'),
      nodes: z.array(z.string().max(253)).max(1_024).optional().describe('The nodes on which resources are applied.'),
      apps: z
        .array(
          z.object({
            name: z.string().max(253).describe('The name of the dtApp.'),
            node: z.string().max(253).describe('The node that owns the dtApp.'),
          }),
        )
        .max(256)
        .optional()
        .describe('The apps of the instance.'),
      drift: z
        .object({
          at: z.string().max(40).describe('When drift was last found, in RFC 3339.'),
          resources: z.array(z.string().max(128)).max(MAX_DRIFTED).describe('The resources that have drifted. At most 64 are listed.'),
        })
        .optional()
        .describe('The drift that the last check found. Cleared by a converge, or by a check that finds none.'),
      message: z.string().max(1_024).optional().describe('What is wrong and what to do about it.'),
      ...conditionFields,
    })
    .optional()
    .describe('The current state of the instance.'),
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
  description: 'A staged assembly, with its own copies of all modules, its own Git repository, and the state of what is applied.',
  schema,
  serverFields: ['spec', 'status'],
  selectableFields: ['spec.module', 'spec.assembly', 'spec.target', 'spec.role', 'spec.kind', 'status.phase'],
  indexed: ['spec.target', 'spec.module'],
  columns: [
    { name: 'Module', type: 'string', description: 'module that it was staged from', path: 'spec.module', priority: 0 },
    { name: 'Version', type: 'string', description: 'version of that module', path: 'spec.version', priority: 0 },
    { name: 'Assembly', type: 'string', description: 'assembly that it was staged from', path: 'spec.assembly', priority: 0 },
    { name: 'Target', type: 'string', description: 'service instance that it is staged against', path: 'spec.target', priority: 0 },
    { name: 'Phase', type: 'string', description: 'phase of the instance', path: 'status.phase', priority: 0 },
    { name: 'Resources', type: 'integer', description: 'number of applied resources', path: 'status.resources', priority: 0 },
    {
      name: 'Drift',
      type: 'string',
      description: 'when a check last found drift',
      value: driftText,
      priority: 0,
    },
    {
      name: 'Nodes',
      type: 'string',
      description: 'nodes on which resources are applied',
      value: (object) => schema.safeParse(object).data?.status?.nodes?.join(','),
      priority: 1,
    },
    { name: 'Directory', type: 'string', description: 'directory of its Git repository', path: 'spec.directory', priority: 1 },
  ],
  conditions: instanceConditions,
};
