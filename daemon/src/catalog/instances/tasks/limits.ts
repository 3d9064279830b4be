/** Limits and delays of tasks. */

/** Newest tasks of an instance that are kept. */
export const KEEP_TASKS = 100;
/** Commands at a time. Stays below what dispatch lets one user run, to leave room for that user's other commands. */
export const MAX_THREADS = 48;
/**
 * Commands of a task that are being started at a time. The first ones run while the next are planned, and those that follow do
 * not all arrive at once.
 */
export const STARTS_AT_A_TIME = 2;
/**
 * Milliseconds without a start before the next command is prepared: commands that ran side by side end, and are replaced, at
 * about the same time.
 */
export const CALM_MS = 50;
/** Milliseconds between two writes of a changing Task, and what each of its steps adds: a large Task takes longer to write. */
export const GATHER_MS = 250;
export const GATHER_STEP_MS = 0.5;
/** Milliseconds before a command that dispatch had no room for is started again: doubles from `first` up to `last`. */
export const ROOM_MS = { first: 100, last: 5_000 };
/** Milliseconds before the second attempt of a command, unless the workflow says otherwise. */
export const RETRY_MS = 1_000;
/** The longest wait before another attempt. */
export const MAX_RETRY_MS = 10 * 60_000;
/** Milliseconds that commands have to end after a cancel. After that they are left running. */
export const CANCEL_MS = 30_000;
/** Milliseconds to wait for the end of a command of an interrupted task before the next plan is made. */
export const SETTLE_MS = 250;
/** Characters of a message in a Task, and of the last output lines within it. */
export const MAX_MESSAGE = 1_024;
export const MAX_TAIL = 640;
/** Bytes of a row. */
export const MAX_ROW_BYTES = 512 * 1024;
/** Steps whose output one follower reads at a time, and bytes of output that it gets of one step. */
export const FOLLOW_AT_A_TIME = 8;
export const MAX_FOLLOWED_BYTES = 1024 * 1024;
/**
 * Milliseconds without output after which a follower of a finished task stops waiting: the command was left running, or its node
 * is away.
 */
export const LATE_OUTPUT_MS = 5_000;
/** Followers of one task. */
export const MAX_FOLLOWERS = 64;
/** Output lines buffered for a follower that is slower than the output. */
export const MAX_WAITING_LINES = 64;
