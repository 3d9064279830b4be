/** What became of each target. Never one outcome for another. */
import { z } from 'zod';
import { digest } from '../code.ts';

/**
 * succeeded: it ended with 0. failed: it ran and did not (or was ended: time, abort). refused: the target decided not to. unreachable: it was
 * never told. skipped: it was not to be told (maintenance, aborted or paused before its turn). unknown: it was told, and what became of it
 * cannot be found out now.
 */
export const OUTCOMES = ['succeeded', 'failed', 'refused', 'unreachable', 'skipped', 'unknown'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/**
 * waiting: not told yet. queued: sealed and held for it. accepted: journalled there, waiting for its turn. running. ended: there is an outcome (an
 * `unknown` one may still be found out later).
 */
export const PART_STATES = ['waiting', 'queued', 'accepted', 'running', 'ended'] as const;
export type PartState = (typeof PART_STATES)[number];

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
  /** Of a file that was read (`get`). */
  file: z.object({ digest, size: z.number().int().nonnegative(), mode: z.number().int() }).optional(),
  /** Members that hold the order for it. */
  holders: z.array(z.string().max(253)).max(16).optional(),
});
export type Part = z.infer<typeof part>;
