/** What the API says of executions, for clients: the lines of a follow, a plan that is only tried, and what could be run. JSON. */
import { z } from 'zod';
import { command } from '../definitions/commands.ts';
import { plannedTarget } from '../kinds/execution.ts';
import { part } from '../orders/outcome.ts';
import { LOG_LEVELS } from '../orders/records.ts';

/** A record for JSON: `text` where the bytes are UTF-8, else `base64`. A chunk may end within a line, never within a character. */
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

/** One line of `GET …/daemon/executions/ID/follow` and of a dispatch that is followed. Exactly one field. */
export const followLine = z.object({
  /** First: the Execution as it stands, merged from all nodes that told of it. */
  execution: z.record(z.string(), z.unknown()).optional(),
  /** A part has changed. */
  part: part.optional(),
  /** Output of a part: `offset` of the first record, `next` after the last. */
  output: z
    .object({
      index: z.number().int(),
      node: z.string(),
      offset: z.number().int(),
      next: z.number().int(),
      records: z.array(followedRecord),
    })
    .optional(),
  /** Something for people: a node is being told, contact was lost, it is waited for. */
  note: z
    .object({
      index: z.number().int().optional(),
      node: z.string().optional(),
      event: z.enum(['telling', 'lost', 'waiting', 'batch', 'paused', 'stage']),
      text: z.string(),
    })
    .optional(),
  /** Last. Without it the answer is broken off. */
  end: z.object({ phase: z.enum(['Running', 'Paused', 'Finished']), missing: z.number().int().nonnegative().optional() }).optional(),
});
export type FollowLine = z.infer<typeof followLine>;

/** Answer of a dispatch with dryRun, and of a retry with dryRun. */
export const planAnswer = z.object({
  targets: z.array(
    plannedTarget.extend({ what: z.string(), skip: z.string().optional().describe('Why it would not be told (maintenance, away).') }),
  ),
  /** Nodes that did not answer while resources were looked for. */
  unanswered: z.array(z.string()),
  /** Stages, batches, threads: for people. */
  notes: z.array(z.string()),
});
export type PlanAnswer = z.infer<typeof planAnswer>;

/** Answer of `GET …/daemon/dispatch?model=&type=&resource=&command=`: what an incomplete context could be completed with. */
export const contextAnswer = z.object({
  models: z.array(z.object({ node: z.string(), name: z.string() })).optional(),
  types: z.array(z.object({ name: z.string(), description: z.string().optional() })).optional(),
  resources: z
    .array(z.object({ node: z.string(), model: z.string(), type: z.string(), name: z.string(), deployments: z.array(z.string()) }))
    .optional(),
  commands: z.array(z.object({ name: z.string(), type: z.string(), command })).optional(),
  truncated: z.boolean().optional().describe('There are more resources than these, and maybe more models and types.'),
  unanswered: z.array(z.string()),
});
export type ContextAnswer = z.infer<typeof contextAnswer>;
