/** What became of each target. Never one outcome for another. */
import { z } from 'zod';
import { digest } from '../code.ts';
import { OUTCOMES, PART_STATES } from './words.ts';

export { OUTCOMES, type Outcome, PART_STATES, type PartState } from './words.ts';

/** One target's part of an execution, as its Execution object and the wire show it. Times are milliseconds since the epoch. */
export const part = z.object({
  index: z.number().int().nonnegative(),
  node: z.string().max(253),
  /** `model.Type.name command`, `exec`, `cp`: to show. */
  what: z.string().max(1_024),
  stage: z.number().int().nonnegative().optional(),
  state: z.enum(PART_STATES),
  outcome: z.enum(OUTCOMES).optional(),
  startedAt: z.number().int().optional(),
  endedAt: z.number().int().optional(),
  exitStatus: z.number().int().optional(),
  signal: z.string().max(16).optional(),
  /** Why it is not succeeded, for people; a code of protocol/errors.ts, where there is one. */
  reason: z.string().max(1_024).optional(),
  code: z.string().max(64).optional(),
  /** Bytes of its spool: where output ends so far. */
  offset: z.number().int().nonnegative().optional(),
  /** Bytes of output that were not kept, beyond the cap. */
  dropped: z.number().int().nonnegative().optional(),
  /** Of a file that was read (`get`). Its mode is given to the copy: permissions, and never that it runs as its owner. */
  file: z.object({ digest, size: z.number().int().nonnegative(), mode: z.number().int().min(0).max(0o777) }).optional(),
  /** Members that hold the order for it. */
  holders: z.array(z.string().max(253)).max(16).optional(),
});
export type Part = z.infer<typeof part>;
