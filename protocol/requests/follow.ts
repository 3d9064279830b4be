/** What the API tells clients about executions, as JSON: the lines of a follow, a dry-run plan, and what could be run. */
import { z } from 'zod';
import { command } from '../definitions/commands.ts';
import { plannedTarget } from '../kinds/execution.ts';
import { part } from '../orders/outcome.ts';
import { LOG_LEVELS } from '../orders/records.ts';

/** A record in JSON: `text` if the bytes are UTF-8, else `base64`. A chunk may end within a line, never within a character. */
export const followedRecord = z.object({
  t: z.number(),
  s: z.enum(['out', 'err', 'log']),
  n: z.number().int().nonnegative(),
  c: z.string(),
  l: z.enum(LOG_LEVELS).optional(),
  text: z.string().optional(),
  base64: z.string().optional(),
});
export type FollowedRecord = z.infer<typeof followedRecord>;

/** One line of `GET …/daemon/executions/ID/follow`, or of a dispatch that is followed. Exactly one field is set. */
export const followLine = z.object({
  /** First line: the Execution as it is now, merged from all nodes that reported on it. */
  execution: z.record(z.string(), z.unknown()).optional(),
  /** A part has changed. */
  part: part.optional(),
  /** Output of a part: `offset` is that of the first record, `next` that after the last. */
  output: z
    .object({
      index: z.number().int(),
      node: z.string(),
      offset: z.number().int(),
      next: z.number().int(),
      records: z.array(followedRecord),
    })
    .optional(),
  /** A note for people: a node is being told, contact was lost, something is waited for. */
  note: z
    .object({
      index: z.number().int().optional(),
      node: z.string().optional(),
      event: z.enum(['telling', 'lost', 'waiting', 'batch', 'paused', 'stage']),
      text: z.string(),
    })
    .optional(),
  /** Last line. Without it the answer is incomplete. */
  end: z
    .object({
      phase: z.enum(['Running', 'Paused', 'Finished']),
      missing: z.number().int().nonnegative().optional(),
      /** The number of the pause, at the starting node. */
      pause: z.number().int().positive().optional(),
    })
    .optional(),
});
export type FollowLine = z.infer<typeof followLine>;

/** Answer to a dispatch or retry with dryRun. */
export const planAnswer = z.object({
  targets: z.array(
    plannedTarget.extend({
      what: z.string(),
      skip: z.string().optional().describe('Why the target would be skipped, such as maintenance. Not set if it would not be.'),
    }),
  ),
  /** Nodes that did not answer the search for resources. */
  unanswered: z.array(z.string()),
  /** Stages, batches and threads, for people. */
  notes: z.array(z.string()),
});
export type PlanAnswer = z.infer<typeof planAnswer>;

/** Answer to `GET …/daemon/dispatch?model=&type=&resource=&command=`: possible completions of an incomplete context. */
export const contextAnswer = z.object({
  models: z.array(z.object({ node: z.string(), name: z.string() })).optional(),
  types: z.array(z.object({ name: z.string(), description: z.string().optional() })).optional(),
  resources: z
    .array(z.object({ node: z.string(), model: z.string(), type: z.string(), name: z.string(), deployments: z.array(z.string()) }))
    .optional(),
  commands: z.array(z.object({ name: z.string(), type: z.string(), command })).optional(),
  truncated: z.boolean().optional().describe('Whether there are more resources than listed, and perhaps more models and types.'),
  unanswered: z.array(z.string()),
});
export type ContextAnswer = z.infer<typeof contextAnswer>;
