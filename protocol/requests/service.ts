/** Requests about service instances over the API, and their answers. docs/services.md has the paths. */
import { z } from 'zod';
import { partName } from '../definitions/assembly.ts';
import { digest, moduleName, moduleVersion, versionRange } from '../definitions/code.ts';
import { commandName, durationText, optionName } from '../definitions/commands.ts';
import { PROPERTY_TYPES } from '../definitions/property-types.ts';
import { instanceName } from '../definitions/service-file.ts';
import { propertyName } from '../definitions/type-rules.ts';

/** A commit in git's notation: a hash or its beginning, HEAD, HEAD~2, `applied`. */
export const revision = z
  .string()
  .max(64)
  .regex(/^([0-9a-f]{4,40}|HEAD|applied|main)(~[0-9]{1,4})?$/, 'must be a commit such as 1f3a9c2, HEAD, HEAD~2 or applied');

/** `POST daemon/stage`. */
export const stageRequest = z.strictObject({
  module: moduleName,
  assembly: partName,
  version: versionRange.optional().describe('The range of acceptable versions. Default: the newest version on this node.'),
  name: instanceName.optional().describe('The name of the service. Default: the name of the assembly, with a number if that is taken.'),
  target: instanceName
    .optional()
    .describe('The service to stage against. Default: the default target of the node, if the assembly needs one of that kind.'),
  parameters: z.record(propertyName, z.unknown()).optional(),
  dryRun: z.boolean().optional(),
});
export type StageRequest = z.infer<typeof stageRequest>;

const path = z.string().min(1).max(256);

/**
 * One edit of `dtk.service.yaml`. `path`: `web.port` (a property of a component), `web.count`, `web.on`, `parameters.tier`, `tier`,
 * `target`.
 */
const serviceEdit = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('set'), path, value: z.unknown() }),
  z.strictObject({ op: z.literal('unset'), path }),
  z.strictObject({
    op: z.literal('add-component'),
    name: partName,
    type: z.string().max(63),
    properties: z.record(propertyName, z.unknown()).optional(),
    on: z.string().max(4_096).optional(),
    count: z.union([z.number().int().nonnegative(), z.literal('all')]).optional(),
  }),
  z.strictObject({ op: z.literal('rm-component'), name: partName }),
  z.strictObject({
    op: z.literal('add-link'),
    component: partName,
    link: partName,
    to: z.string().max(128),
    take: z.record(propertyName, z.string().max(128)).optional(),
    give: z.record(propertyName, z.string().max(128)).optional(),
  }),
  z.strictObject({ op: z.literal('rm-link'), component: partName, link: partName }),
]);
export type ServiceEdit = z.infer<typeof serviceEdit>;

/** `POST …/serviceinstances/NAME/edit`: applies all edits or none. `base`: the digest of the file that they are based on. */
export const editRequest = z.strictObject({ edits: z.array(serviceEdit).min(1).max(256), base: digest.optional() });
/** `POST …/file`: replaces all of dtk.service.yaml. */
export const fileRequest = z.strictObject({ content: z.string().max(1024 * 1024), base: digest });

/** `GET …/file`. */
export const fileAnswer = z.object({
  content: z.string(),
  base: digest,
  /** What can be set, by path (`web.port`, `parameters.tier`), with its type. Absent: the file cannot be parsed. */
  types: z.record(z.string(), z.enum(PROPERTY_TYPES)).optional(),
});
export type FileAnswer = z.infer<typeof fileAnswer>;

/** `POST …/converge`. */
export const convergeRequest = z.strictObject({
  dryRun: z.boolean().optional(),
  threads: z.number().int().min(1).max(256).optional().describe('The maximum number of commands that run at the same time. Default: 16.'),
  keepGoing: z.boolean().optional().describe('Whether steps that do not depend on a failed one are still started. Default: false.'),
  timeout: durationText.optional().describe('The maximum run time of each command.'),
  message: z.string().max(4_096).optional().describe('The message of the commit. Default: a summary of the changes.'),
  /** Digest of a plan that was shown: refused with CONFLICT if the plan would differ now. */
  plan: digest.optional(),
});
export type ConvergeRequest = z.infer<typeof convergeRequest>;

/** `POST …/rollback`: returns to the state at that commit. `discard`: lose what was edited since the last commit. */
export const rollbackRequest = convergeRequest.extend({ to: revision, discard: z.boolean().optional() });

/** `POST …/exec`: `web.restart`, `web-1.restart`, or a workflow. */
export const serviceExecRequest = z.strictObject({
  component: z.string().max(64).optional(),
  command: commandName.optional(),
  workflow: commandName.optional(),
  options: z.record(optionName, z.string().max(16_384)).optional(),
  batch: z.string().max(8).optional(),
  threads: z.number().int().min(1).max(256).optional(),
  keepGoing: z.boolean().optional(),
  dryRun: z.boolean().optional(),
});

/** `POST …/drift`, `…/delete`, `…/uninstall`. */
export const takeDownRequest = z.strictObject({
  recursive: z
    .boolean()
    .optional()
    .describe('Whether services that are staged against this one are taken down first. Default: false, which refuses if there are any.'),
  threads: z.number().int().min(1).max(256).optional(),
  keepGoing: z.boolean().optional(),
  dryRun: z.boolean().optional(),
  /** For uninstall: do not run delete commands. What runs goes on, and belongs to nobody. */
  abandon: z.boolean().optional(),
});

/** `POST …/modules`: pull takes over a version of the base; push makes a version of the base from the instance's copy. */
export const copyRequest = z.strictObject({
  op: z.enum(['pull', 'push']),
  module: moduleName,
  version: moduleVersion.optional(),
  force: z.boolean().optional(),
  dryRun: z.boolean().optional(),
});

export const difference = z.object({
  kind: z.string(),
  what: z.string(),
  op: z.enum(['added', 'changed', 'removed']),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});

/** An entry of `details.violations` in the refusal VIOLATIONS. */
export const violation = z.object({ kind: z.string(), where: z.string(), message: z.string(), next: z.string().optional() });

const plannedStep = z.object({
  number: z.string(),
  title: z.string(),
  resource: z.string().optional(),
  node: z.string().optional(),
  command: z.string().optional(),
  act: z.string().optional(),
});

/**
 * What a converge (delete, exec …) would do; if it is done, `task` is the name of the Task object. If there is nothing to do: no steps
 * and no task.
 */
export const planAnswer = z.object({
  digest,
  steps: z.array(plannedStep),
  unchanged: z.number(),
  differences: z.array(difference),
  notes: z.array(z.string()),
  task: z.string().optional(),
  commit: z.string().optional(),
  /** For uninstall: where its history is kept. */
  kept: z.string().optional(),
});
export type ServicePlanAnswer = z.infer<typeof planAnswer>;

/** `GET …/state`. */
export const serviceState = z.object({
  name: z.string(),
  node: z.string(),
  phase: z.string(),
  module: z.string(),
  version: z.string(),
  assembly: z.string(),
  target: z.string().optional(),
  directory: z.string(),
  head: z.string().optional(),
  applied: z.string().optional(),
  /** Differences between the files and the last commit, and between what is desired and what is applied. */
  edited: z.array(difference),
  pending: z.array(difference),
  violations: z.array(violation),
  resources: z.array(
    z.object({
      name: z.string(),
      component: z.string(),
      type: z.string(),
      node: z.string(),
      /**
       * new: not brought up yet; applied; changed: desired differs from applied; leaving: not desired any more; changing: its command is
       * running; broken: its last command did not succeed.
       */
      state: z.enum(['new', 'applied', 'changed', 'leaving', 'changing', 'broken']),
      at: z.string().optional(),
      /** Result of the last drift check. */
      check: z.object({ ok: z.boolean(), at: z.string(), message: z.string().optional() }).optional(),
    }),
  ),
  apps: z.array(z.object({ name: z.string(), node: z.string(), uri: z.string().optional() })),
  task: z.object({ name: z.string(), title: z.string(), state: z.string(), message: z.string().optional() }).optional(),
});
export type ServiceState = z.infer<typeof serviceState>;

/** `GET …/log`: newest first. */
export const serviceLog = z.object({
  commits: z.array(z.object({ id: z.string(), message: z.string(), author: z.string(), at: z.string(), applied: z.boolean() })),
});

/**
 * `GET …/diff?from=REV&to=REV` (without `to`: the work tree), and `GET …/modules?module=NS/NAME` (without `module`: all copies against
 * their bases).
 */
export const fileDifference = z.object({ path: z.string(), op: z.enum(['added', 'changed', 'removed']), text: z.string().optional() });
export const serviceDiff = z.object({ differences: z.array(difference), files: z.array(fileDifference) });
export const copiesDiff = z.object({
  copies: z.array(
    z.object({
      module: z.string(),
      version: z.string(),
      base: z.string().optional(),
      newest: z.string().optional(),
      files: z.array(fileDifference),
    }),
  ),
});

/** Answer to `POST …/edit` and `POST …/file`: the new digest of the file, and what was changed in it. */
export const editAnswer = z.object({
  base: digest,
  differences: z.array(difference),
  notes: z.array(z.string()).optional().describe('What the changes still need, such as a target that does not exist or is not converged.'),
});
/** Answer to `POST …/modules`: the version that was taken over or made, and the changes. No files: nothing changed. */
export const copyAnswer = z.object({
  module: z.string(),
  version: z.string(),
  files: z.array(fileDifference),
  commit: z.string().optional(),
});

/** Lines of `GET …/tasks/NAME/follow`. */
export const taskLine = z.discriminatedUnion('type', [
  z.object({ type: z.literal('task'), state: z.string(), title: z.string(), steps: z.array(z.unknown()) }),
  z.object({ type: z.literal('step'), step: z.unknown() }),
  z.object({
    type: z.literal('output'),
    number: z.string(),
    resource: z.string(),
    node: z.string(),
    stream: z.enum(['out', 'err']),
    text: z.string(),
  }),
  z.object({
    type: z.literal('cut'),
    number: z.string(),
    resource: z.string(),
    node: z.string(),
    execution: z.string().describe('The execution whose output is cut off here.'),
    next: z.string().describe('The command that shows all of its output.'),
  }),
  z.object({ type: z.literal('end'), state: z.string(), message: z.string().optional() }),
]);
