/**
 * The words for outcomes, states and levels. Separate from the schemas, because the command line loads them at its start, where every
 * file counts.
 */

/**
 * succeeded: it ended with status 0. failed: it ran and did not succeed (also if it was ended by a time limit or an abort). refused: the
 * target decided against it. unreachable: the target never got it. skipped: it was not to be sent (maintenance, aborted or paused before
 * its turn). unknown: the target got it, and its end cannot be found out now.
 */
export const OUTCOMES = ['succeeded', 'failed', 'refused', 'unreachable', 'skipped', 'unknown'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/**
 * waiting: not sent yet. queued: sealed and held for the target. accepted: in the target's journal, waiting for its turn. running. ended:
 * there is an outcome (`unknown` may still be corrected later).
 */
export const PART_STATES = ['waiting', 'queued', 'accepted', 'running', 'ended'] as const;
export type PartState = (typeof PART_STATES)[number];

export const EXECUTION_PHASES = ['Running', 'Paused', 'Finished'] as const;
export type ExecutionPhase = (typeof EXECUTION_PHASES)[number];

export const LOG_LEVELS = ['debug', 'verbose', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
