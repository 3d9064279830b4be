/** The words for outcomes, states and levels, apart from what parses them: the command line uses them at its start, where every file counts. */

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

export const EXECUTION_PHASES = ['Running', 'Paused', 'Finished'] as const;
export type ExecutionPhase = (typeof EXECUTION_PHASES)[number];

export const LOG_LEVELS = ['debug', 'verbose', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
