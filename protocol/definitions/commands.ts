/**
 * A type's commands. A command is a script, a workflow of steps, or a dispatch over related resources. `dtk.module.yaml` and Type objects
 * share this schema. Texts may contain `${options.NAME}`, `${properties.NAME}`, `${resource.name|type|model|directory}` and
 * `${node.name}`, which are expanded in arguments, variables and file contents, never in a script's own text.
 */
import { z } from 'zod';

export const commandName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be a command name: a letter, then letters, digits, - and _');
export const optionName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be an option name: a letter, then letters, digits, - and _');

/** Total steps of a workflow including its handlers; and how deep commands may call commands. */
export const MAX_STEPS = 256;
export const MAX_COMMAND_DEPTH = 16;
/** Maximum bytes of an inline script. */
const MAX_INLINE_BYTES = 64 * 1024;

/** A duration as people write it: `30s`, `5m`, `2h`, `1d`, `500ms`. */
export const durationText = z.string().regex(/^[0-9]{1,9}(ms|s|m|h|d)$/, 'must be a duration such as 30s, 5m or 2h');

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Converts a `durationText` to milliseconds. */
export function durationMs(text: string): number {
  const match = /^([0-9]+)(ms|s|m|h|d)$/.exec(text);
  return Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN);
}

const description = z.string().max(4_096).optional().describe('A description.');
const text = z.string().max(16_384);

export const optionRule = z.strictObject({
  type: z.enum(['string', 'integer', 'number', 'boolean']).optional().describe('The type of the value. Default: string.'),
  description,
  required: z.boolean().optional().describe('Whether the command is refused without a value. Default: false.'),
  default: z.union([text, z.number(), z.boolean()]).optional().describe('The value if none is given.'),
  property: z.string().max(63).optional().describe('The property of the resource whose value is the default.'),
  allowed: z
    .array(z.union([text, z.number(), z.boolean()]))
    .min(1)
    .max(256)
    .optional()
    .describe('The only values that the option may have.'),
});
export type OptionRule = z.infer<typeof optionRule>;

const secretUse = z.strictObject({
  name: z
    .string()
    .max(253)
    .optional()
    .describe('The name of the Secret, on the node that the command runs on. Exactly one of name and property is required.'),
  property: z.string().max(63).optional().describe('The property of type secret whose value is the name of the Secret.'),
  optional: z
    .boolean()
    .optional()
    .describe('Whether the variable is left out if the property has no value. Default: false, in which case the command fails.'),
  as: z
    .enum(['file', 'env'])
    .optional()
    .describe(
      'How the command gets the secret. file: the variable has the path of a file. env: the variable has the value. Default: file.',
    ),
  variable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/)
    .describe('The name of the environment variable.'),
});

/** A script: a file of the module or an inline text. Exactly one of `file` and `inline`. */
export const script = z.strictObject({
  file: z
    .string()
    .max(512)
    .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/, 'must be a path within the module')
    .optional()
    .describe('The path of a file of the module. Exactly one of file and inline is required.'),
  inline: z.string().max(MAX_INLINE_BYTES).optional().describe('The text of the script.'),
  interpreter: z
    .array(text.min(1))
    .min(1)
    .max(16)
    .optional()
    .describe(
      'The interpreter, such as [/usr/bin/python3, -u]. Default: the one in the first line of the file, /bin/sh for an inline script.',
    ),
  args: z.array(text).max(256).optional().describe('The arguments of the script.'),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), text)
    .optional()
    .describe('Environment variables for the script.'),
  directory: text.optional().describe('The working directory. Default: the directory of the resource.'),
  user: z.string().max(64).optional().describe('The user to run the script as. Default: the user of the daemon.'),
  secrets: z.array(secretUse).max(32).optional().describe('The secrets that the script gets.'),
});
export type Script = z.infer<typeof script>;

export const retry = z.strictObject({
  attempts: z.number().int().min(2).max(100).describe('The maximum number of attempts, including the first.'),
  delay: durationText.optional().describe('The delay before the second attempt. Default: 1s.'),
  backoff: z.number().min(1).max(10).optional().describe('The factor by which each further delay grows. Default: 2.'),
});

export interface Step {
  /** Exactly one of a command of the resource and a script. */
  command?: string | undefined;
  script?: Script | undefined;
  name?: string | undefined;
  /** Options for that command. Texts may contain `${options.NAME}`. */
  options?: Record<string, string | number | boolean> | undefined;
  'on-failure'?: 'fail' | 'ignore' | Step[] | undefined;
  retry?: z.infer<typeof retry> | undefined;
  timeout?: string | undefined;
}

const plainStep = z.strictObject({
  command: commandName.optional().describe('The command of the resource to run. Exactly one of command and script is required.'),
  script: script.optional().describe('The script to run.'),
  name: z.string().max(128).optional().describe('The name of the step.'),
  options: z
    .record(optionName, z.union([text, z.number(), z.boolean()]))
    .optional()
    .describe('The options of that command, by name.'),
  'on-failure': z.enum(['fail', 'ignore']).optional().describe('What to do if the step fails: fail or ignore. Default: fail.'),
  retry: retry.optional().describe('How to retry the step if it fails.'),
  timeout: durationText.optional().describe('The maximum run time, such as 30s, 5m or 2h.'),
});

/**
 * Steps may have handlers, and these may have handlers, which have none. Written out, since a recursive schema would follow a document to
 * any depth.
 */
export const step: z.ZodType<Step> = handled(handled(plainStep));

function handled(handler: z.ZodType<Step>): z.ZodType<Step> {
  return plainStep.extend({
    'on-failure': z
      .union([z.enum(['fail', 'ignore']), z.array(handler).min(1).max(64)])
      .optional()
      .describe(
        'What to do on failure: fail (default), ignore, or handler steps. If they succeed, so does the step. Handlers nest at most twice.',
      ),
  });
}

export const workflow = z.strictObject({
  steps: z.array(step).min(1).max(MAX_STEPS).describe('The steps of the workflow.'),
  order: z
    .enum(['sequential', 'concurrent'])
    .optional()
    .describe('Whether the steps run one after another or at the same time. Default: sequential.'),
  threads: z
    .number()
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe('The maximum number of steps that run at the same time, if concurrent. Default: all.'),
});
export type Workflow = z.infer<typeof workflow>;

export const dispatch = z.strictObject({
  command: commandName.describe('The command to run on each related resource.'),
  over: z
    .enum(['children', 'parents', 'deployments'])
    .describe(
      'The resources to run it on: the children, the parents, or (deployments) the resource itself on each node where it is deployed.',
    ),
  type: z.string().max(256).optional().describe('A regular expression. Only resources whose type matches it are chosen.'),
  name: z.string().max(256).optional().describe('A regular expression. Only resources whose name matches it are chosen.'),
  sort: z
    .string()
    .max(63)
    .optional()
    .describe('The property to order the resources by, such as startup-rank, lowest first. Resources of equal value run together.'),
  reverse: z.boolean().optional().describe('Whether the order is reversed, highest first. Default: false.'),
  threads: z.number().int().min(1).max(256).optional().describe('The maximum number of resources at the same time. Default: 1.'),
  strategy: z
    .enum(['node', 'local'])
    .optional()
    .describe('Where to run. node (default): on the nodes where the resources are deployed. local: here, for resources deployed here.'),
  'require-match': z
    .boolean()
    .optional()
    .describe('Whether the command fails if no resource matches. Default: true. If false, it succeeds without doing anything.'),
  'keep-going': z.boolean().optional().describe('Whether the remaining resources are started after a failure. Default: false.'),
  options: z
    .record(optionName, z.union([text, z.number(), z.boolean()]))
    .optional()
    .describe('The options of that command, by name.'),
});
export type Dispatch = z.infer<typeof dispatch>;

export const command = z
  .strictObject({
    description,
    options: z.record(optionName, optionRule).optional().describe('The options of the command, by name.'),
    private: z.boolean().optional().describe('Whether the command can run only as a step of other commands. Default: false.'),
    timeout: durationText.optional().describe('The maximum run time, such as 30s, 5m or 2h.'),
    script: script.optional().describe('A script to run. Exactly one of script, workflow and dispatch is required.'),
    workflow: workflow.optional().describe('Steps to run, one after another or at the same time.'),
    dispatch: dispatch.optional().describe('A command to run on related resources.'),
  })
  .refine(({ script: a, workflow: b, dispatch: c }) => [a, b, c].filter((one) => one !== undefined).length === 1, {
    message: 'must be exactly one of script, workflow and dispatch',
  });
export type Command = z.infer<typeof command>;

export const commands = z.record(commandName, command);
export type Commands = z.infer<typeof commands>;

/** A file that is created in the resource's directory when it is installed: a file of the module with its `${…}` filled in. */
export const template = z.strictObject({
  from: z.string().max(512).describe('The path of a file of the module.'),
  to: z
    .string()
    .max(512)
    .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/, "must be a path within the resource's directory")
    .describe('The path of the generated file in the directory of the resource.'),
  executable: z.boolean().optional().describe('Whether the generated file is executable. Default: false.'),
});
export type Template = z.infer<typeof template>;
