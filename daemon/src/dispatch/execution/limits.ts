/** What the starting side takes and how long it waits. */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Executions that one user has running, and parts of all together: each part that runs holds a stream. */
export const MAX_RUNNING_PER_USER = 64;
export const MAX_RUNNING_PARTS = 20_000;
/** An order is good for so long where it is not queued: an execution that goes through its targets one by one, or pauses, takes its time. */
export const ORDER_LIFETIME_MS = DAY_MS;
/** What became of a part that was lost is looked for so long after nobody may start it any more; targets keep ids as long. */
export const SETTLE_MS = DAY_MS;
/** Bytes collected of one part's output; what is beyond stays at the target alone. */
export const MAX_COLLECTED_BYTES = 64 * 1024 * 1024;
/** Output beyond that is still read to its end, up to the most that a target may keep; more is an attack. */
export const MAX_OFFSET = 1024 * 1024 * 1024 + 64 * 1024 * 1024;
/** Answers about other executions or indexes are ignored; a peer that sends so many on one stream is let go. */
export const MAX_IGNORED = 64;
/** Words about a part in one conversation: it changes a few times. */
export const MAX_WORDS = 256;
/** Times that a peer may answer what it must not, before it is asked no more. */
export const MAX_STRIKES = 3;
/** Notes kept for those who follow: a node is being told, contact was lost. */
export const MAX_NOTES = 4_096;
/** Bytes of output in one line of a follow. */
export const FOLLOW_BYTES = 64 * 1024;
/** Parts that are followed at other nodes at a time. */
export const MAX_FOLLOWED_ELSEWHERE = 64;
/** Milliseconds in which other nodes say whether they know an execution. */
export const FIND_MS = 2 * SECOND_MS;
/** Parts told in answers to one search, by all nodes: each target and the starter tell of it. */
export const MAX_FOUND = 8_192;
/** How often what is over is removed. */
export const SWEEP_MS = HOUR_MS;
/** Bytes of a request to the API: a program's arguments, filters, a list of nodes. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/** How long things may take. Tests make them short. Milliseconds. */
export interface Timing {
  /** For a connection: a target that takes longer is away. */
  connectMs: number;
  /** For the first word to an order: it may have 1 MiB to travel. A stream without one is given up, and the order brought again. */
  answerMs: number;
  /** A part without contact gives its place to the next after so long; and if all others have ended, what became of it is not waited for any longer. */
  lostMs: number;
  /** Beyond the deadline, for a target to end the work and say so. */
  graceMs: number;
  /** Between attempts to get contact again: the first wait, doubled up to the last. */
  backoffMs: { first: number; last: number };
  /** The same, while nobody waits for it any more. */
  settlingMs: { first: number; last: number };
  /** For an abort to be told to a target that cannot be reached at once. */
  abortMs: number;
  /** For the rest of the output of a part that has ended. */
  tailMs: number;
  /** Between a change and its write: what changes in the same moment goes along, and what ends at once is written once. */
  saveAfterMs: number;
  /** Between two writes of an execution that changes. */
  saveMs: number;
}

export const TIMING: Timing = {
  connectMs: 5 * SECOND_MS,
  answerMs: 20 * SECOND_MS,
  lostMs: 30 * SECOND_MS,
  graceMs: MINUTE_MS,
  backoffMs: { first: 250, last: 5 * SECOND_MS },
  settlingMs: { first: 5 * SECOND_MS, last: 5 * MINUTE_MS },
  abortMs: 10 * SECOND_MS,
  tailMs: 30 * SECOND_MS,
  saveAfterMs: 100,
  saveMs: SECOND_MS,
};
