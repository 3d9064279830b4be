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
export const durationText = z.string().regex(/^[0-9]{1,9}(ms|s|m|h|d)$/, 'must be a length of time such as 30s, 5m or 2h');

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Converts a `durationText` to milliseconds. */
export function durationMs(text: string): number {
  const match = /^([0-9]+)(ms|s|m|h|d)$/.exec(text);
  return Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN);
}

const description = z.string().max(4_096).optional().describe('What it is for.');
const text = z.string().max(16_384);

export const optionRule = z.strictObject({
  type: z.enum(['string', 'integer', 'number', 'boolean']).optional().describe('Default: string.'),
  description,
  required: z.boolean().optional().describe('The command is refused without a value.'),
  default: z.union([text, z.number(), z.boolean()]).optional().describe('The value where none is given.'),
  property: z.string().max(63).optional().describe('The default is the value of this property of the resource.'),
  allowed: z
    .array(z.union([text, z.number(), z.boolean()]))
    .min(1)
    .max(256)
    .optional()
    .describe('The only values that it may have.'),
});
export type OptionRule = z.infer<typeof optionRule>;

const secretUse = z.strictObject({
  name: z.string().max(253).optional().describe('Name of the Secret of the node on which the command runs.'),
  property: z.string().max(63).optional().describe('Or the property (of type secret) that has its name.'),
  optional: z.boolean().optional().describe('Where the property has no value, the variable is left out; else the command fails.'),
  as: z.enum(['file', 'env']).optional().describe('Default: file, whose path the variable has.'),
  variable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/)
    .describe('The variable by which the command gets it.'),
});

/** A script: a file of the module or an inline text. Exactly one of `file` and `inline`. */
export const script = z.strictObject({
  file: z
    .string()
    .max(512)
    .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/, 'must be a path within the module')
    .optional()
    .describe('Path of a file of the module.'),
  inline: z.string().max(MAX_INLINE_BYTES).optional().describe('Or the text of the script itself.'),
  interpreter: z
    .array(text.min(1))
    .min(1)
    .max(16)
    .optional()
    .describe('What runs it, e.g. [/usr/bin/python3, -u]. Default: the first line of the file; /bin/sh for an inline text.'),
  args: z.array(text).max(256).optional().describe('Arguments.'),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), text)
    .optional()
    .describe('Variables that it gets.'),
  directory: text.optional().describe('Default: the directory of the resource.'),
  user: z.string().max(64).optional().describe("Default: the daemon's own."),
  secrets: z.array(secretUse).max(32).optional().describe('Secrets that it gets.'),
});
export type Script = z.infer<typeof script>;

export const retry = z.strictObject({
  attempts: z.number().int().min(2).max(100).describe('In all, with the first.'),
  delay: durationText.optional().describe('Before the second. Default: 1s.'),
  backoff: z.number().min(1).max(10).optional().describe('Each further delay is so many times as long. Default: 2.'),
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
  command: commandName.optional().describe('A command of the resource. Either this or a script.'),
  script: script.optional().describe('Something to start.'),
  name: z.string().max(128).optional().describe('What the step is called.'),
  options: z
    .record(optionName, z.union([text, z.number(), z.boolean()]))
    .optional()
    .describe('Options of that command.'),
  'on-failure': z.enum(['fail', 'ignore']).optional().describe('fail (default) or ignore.'),
  retry: retry.optional().describe('To be tried again if it fails.'),
  timeout: durationText.optional().describe('How long it may take.'),
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
        'fail (default), ignore, or steps that handle it: if they succeed, so has the step. Handlers may have handlers, and these none.',
      ),
  });
}

export const workflow = z.strictObject({
  steps: z.array(step).min(1).max(MAX_STEPS).describe('What is done.'),
  order: z.enum(['sequential', 'concurrent']).optional().describe('Default: sequential.'),
  threads: z.number().int().min(1).max(64).optional().describe('Concurrent steps at a time. Default: all.'),
});
export type Workflow = z.infer<typeof workflow>;

export const dispatch = z.strictObject({
  command: commandName.describe('The command that each of them runs.'),
  over: z.enum(['children', 'parents', 'deployments']).describe('deployments: the resource itself on each node where it is deployed.'),
  type: z.string().max(256).optional().describe('Only those whose type matches this regular expression.'),
  name: z.string().max(256).optional().describe('Only those whose name matches.'),
  sort: z.string().max(63).optional().describe('A property, such as startup-rank: those with equal values go together, the lowest first.'),
  reverse: z.boolean().optional().describe('The highest first.'),
  threads: z.number().int().min(1).max(256).optional().describe('How many at a time. Default: 1.'),
  strategy: z
    .enum(['node', 'local'])
    .optional()
    .describe('node (default): on the nodes where they are deployed; local: here, those that are deployed here.'),
  'require-match': z
    .boolean()
    .optional()
    .describe('To find none is a failure. Default: true. With false there is then nothing to do, and it succeeds.'),
  'keep-going': z.boolean().optional().describe('A failure does not keep the rest from being started.'),
  options: z
    .record(optionName, z.union([text, z.number(), z.boolean()]))
    .optional()
    .describe('Options of that command.'),
});
export type Dispatch = z.infer<typeof dispatch>;

export const command = z
  .strictObject({
    description,
    options: z.record(optionName, optionRule).optional().describe('Options that it takes, by their names.'),
    private: z.boolean().optional().describe('Can only be a step of other commands.'),
    timeout: durationText.optional().describe('How long it may take.'),
    script: script.optional().describe('Something to start. Exactly one of script, workflow and dispatch.'),
    workflow: workflow.optional().describe('Steps, one after another or at once.'),
    dispatch: dispatch.optional().describe('A command of related resources.'),
  })
  .refine(({ script: a, workflow: b, dispatch: c }) => [a, b, c].filter((one) => one !== undefined).length === 1, {
    message: 'must be exactly one of script, workflow and dispatch',
  });
export type Command = z.infer<typeof command>;

export const commands = z.record(commandName, command);
export type Commands = z.infer<typeof commands>;

/** A file that is created in the resource's directory when it is installed: a file of the module with its `${…}` filled in. */
export const template = z.strictObject({
  from: z.string().max(512).describe('A file of the module.'),
  to: z
    .string()
    .max(512)
    .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/, "must be a path within the resource's directory")
    .describe("Where it goes in the resource's directory."),
  executable: z.boolean().optional().describe('True if it can be run.'),
});
export type Template = z.infer<typeof template>;
