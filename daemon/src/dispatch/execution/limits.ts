/** What the starting side accepts, and how long it waits. */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Executions that one user may have running, and parts of all executions together: each running part holds a stream. */
export const MAX_RUNNING_PER_USER = 64;
export const MAX_RUNNING_PARTS = 20_000;
/** How long an order is valid unless it is queued: an execution that goes through its targets one by one, or pauses, takes time. */
export const ORDER_LIFETIME_MS = DAY_MS;
/** How long the outcome of a lost part is looked for after nobody may start it any more; targets keep ids as long. */
export const SETTLE_MS = DAY_MS;
/** Bytes collected of one part's output; the rest stays only at the target. */
export const MAX_COLLECTED_BYTES = 64 * 1024 * 1024;
/** Output beyond that is still read to its end, up to the most that a target may keep; more is an attack. */
export const MAX_OFFSET = 1024 * 1024 * 1024 + 64 * 1024 * 1024;
/** Answers about other executions or indexes that are ignored on one stream; after more, it is closed. */
export const MAX_IGNORED = 64;
/** Reports on a part in one conversation: its state changes only a few times. */
export const MAX_WORDS = 256;
/** How often a peer may break the protocol before it is no longer asked. */
export const MAX_STRIKES = 3;
/** Notes kept for followers, such as: connecting to a node, contact was lost. */
export const MAX_NOTES = 4_096;
/** Bytes of output in one line to a follower. */
export const FOLLOW_BYTES = 64 * 1024;
/** Parts followed at other nodes at a time. */
export const MAX_FOLLOWED_ELSEWHERE = 64;
/** Milliseconds that other nodes have to say whether they know an execution. */
export const FIND_MS = 2 * SECOND_MS;
/** Parts in all answers to one search: each target and the starter report them. */
export const MAX_FOUND = 8_192;
/** Interval at which old executions are removed. */
export const SWEEP_MS = HOUR_MS;
/** Bytes of a request to the API: a program's arguments, filters, a list of nodes. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/** Durations in milliseconds. Tests make them short. */
export interface Timing {
  /** To connect: a target that takes longer is away. */
  connectMs: number;
  /**
   * For the first answer to an order, of which 1 MiB may have to travel. Without one the stream is given up, and the order brought again.
   */
  answerMs: number;
  /** After this long a part without contact gives its place to the next; if all parts left are lost, they are given up after this long. */
  lostMs: number;
  /** Past the deadline, for a target to end the work and say so. */
  graceMs: number;
  /** Between attempts to reconnect: the first wait, doubled up to the last. */
  backoffMs: { first: number; last: number };
  /** The same, while nobody waits for the part: it was given up, or its order is held. */
  settlingMs: { first: number; last: number };
  /** To tell an abort to a target that cannot be reached at once. */
  abortMs: number;
  /** For the rest of the output of a part that has ended. */
  tailMs: number;
  /** Between a change and its write, so that simultaneous changes are written together, and a short execution only once. */
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
