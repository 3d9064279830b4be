/** The state and outcome of each target. One outcome is never reported as another. */
import { z } from 'zod';
import { digest } from '../definitions/code.ts';
import { OUTCOMES, PART_STATES } from './words.ts';

export { OUTCOMES, type Outcome, PART_STATES, type PartState } from './words.ts';

/** One target's part of an execution, as its Execution object and the wire show it. Times are milliseconds since the epoch. */
export const part = z.object({
  index: z.number().int().nonnegative().describe('Number of the target in the plan.'),
  node: z.string().max(253).describe('The target.'),
  what: z.string().max(1_024).describe('What runs, for people: `model.Type.name command`, `exec`, `cp`.'),
  stage: z.number().int().nonnegative().optional().describe('Stages run one after another.'),
  state: z.enum(PART_STATES).describe('How far it is.'),
  outcome: z.enum(OUTCOMES).optional().describe('What became of it, once that is known.'),
  startedAt: z.number().int().optional().describe('Milliseconds since the epoch.'),
  endedAt: z.number().int().optional().describe('Milliseconds since the epoch.'),
  exitStatus: z.number().int().optional().describe('Exit status of what ran.'),
  signal: z.string().max(16).optional().describe('Name of the signal that ended it.'),
  reason: z.string().max(1_024).optional().describe('Why it is not succeeded, for people.'),
  code: z.string().max(64).optional().describe('The same for programs: a code of an error, where there is one.'),
  offset: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('Bytes of output so far, with what surrounds it in the spool: where a follow goes on.'),
  printed: z.number().int().nonnegative().optional().describe('Of these, bytes that the command wrote, as the starter has counted them.'),
  dropped: z.number().int().nonnegative().optional().describe('Bytes of output that were not kept, beyond the cap.'),
  file: z
    .object({
      digest,
      size: z.number().int().nonnegative().describe('Its bytes.'),
      mode: z.number().int().min(0).max(0o777).describe('Its permissions, which the copy gets: never that it runs as its owner.'),
    })
    .optional()
    .describe('Of a file that was read.'),
  paused: z.boolean().optional().describe('Of one that waits, by the word of the starter: the execution is paused.'),
  holders: z.array(z.string().max(253)).max(16).optional().describe('Members that hold the order for it.'),
});
export type Part = z.infer<typeof part>;
