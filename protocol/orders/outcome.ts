/** The state and outcome of each target. One outcome is never reported as another. */
import { z } from 'zod';
import { digest } from '../definitions/code.ts';
import { OUTCOMES, PART_STATES } from './words.ts';

export { OUTCOMES, type Outcome, PART_STATES, type PartState } from './words.ts';

/** One target's part of an execution, as its Execution object and the wire show it. Times are milliseconds since the epoch. */
export const part = z.object({
  index: z.number().int().nonnegative().describe('The number of the target in the plan, from 0.'),
  node: z.string().max(253).describe('The name of the target node.'),
  what: z.string().max(1_024).describe('A description of what runs, such as `model.Type.name command`, `exec` or `cp`.'),
  stage: z.number().int().nonnegative().optional().describe('The stage that the target belongs to. Stages run one after another.'),
  state: z.enum(PART_STATES).describe('The current state.'),
  outcome: z.enum(OUTCOMES).optional().describe('The outcome, once it is known.'),
  startedAt: z.number().int().optional().describe('When the target started, in milliseconds since the epoch.'),
  endedAt: z.number().int().optional().describe('When the target ended, in milliseconds since the epoch.'),
  exitStatus: z.number().int().optional().describe('The exit status of the program.'),
  signal: z.string().max(16).optional().describe('The name of the signal that ended the program.'),
  reason: z.string().max(1_024).optional().describe('Why the target did not succeed.'),
  code: z.string().max(64).optional().describe('The error code, if there is one.'),
  offset: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('The bytes of output so far, with the framing of the spool. A follow can continue from this offset.'),
  printed: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('The bytes of output that the command itself wrote, as counted by the starting node.'),
  dropped: z.number().int().nonnegative().optional().describe('The bytes of output discarded because they exceeded the limit.'),
  file: z
    .object({
      digest,
      size: z.number().int().nonnegative().describe('The size of the file, in bytes.'),
      mode: z
        .number()
        .int()
        .min(0)
        .max(0o777)
        .describe('The permission bits of the file, which the copy gets. The setuid and setgid bits are never included.'),
    })
    .optional()
    .describe('The file that was read, for an execution that reads one.'),
  paused: z.boolean().optional().describe('Whether the target waits because the execution is paused, as told by the starting node.'),
  holders: z.array(z.string().max(253)).max(16).optional().describe('The members that hold the order for the target.'),
});
export type Part = z.infer<typeof part>;
