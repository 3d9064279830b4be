/** What tasks take and how long they wait. */

/** Tasks of one instance that are kept, the newest. */
export const KEEP_TASKS = 100;
/** Commands at a time: those of one user that dispatch lets run, with room for others that the same user starts. */
export const MAX_THREADS = 48;
/** Commands of a task that are being started at a time: the first ones run while the next are planned, and those that follow them do not all come at once. */
export const STARTS_AT_A_TIME = 2;
/** Milliseconds without a start before what comes next is prepared: commands that ran side by side end and give way to others at about the same time. */
export const CALM_MS = 50;
/** Milliseconds between two writes of a Task that changes, and for each of its steps: a large one takes longer to write. */
export const GATHER_MS = 250;
export const GATHER_STEP_MS = 0.5;
/** Milliseconds before a command is started that dispatch had no room for: the first, doubled up to the last. */
export const ROOM_MS = { first: 100, last: 5_000 };
/** Milliseconds before the second attempt of a command, where the workflow says nothing else. */
export const RETRY_MS = 1_000;
/** The longest wait before another attempt. */
export const MAX_RETRY_MS = 10 * 60_000;
/** Milliseconds that commands have to end after a cancel, before they are left to themselves. */
export const CANCEL_MS = 30_000;
/** Milliseconds in which a command of an interrupted task may say that it has ended, before the next plan is made. */
export const SETTLE_MS = 250;
/** Characters of a message in a Task, and of the last lines of output in it. */
export const MAX_MESSAGE = 1_024;
export const MAX_TAIL = 640;
/** Bytes of a row. */
export const MAX_ROW_BYTES = 512 * 1024;
/** Steps whose output one follower reads at a time, and bytes that it gets of one step. */
export const FOLLOW_AT_A_TIME = 8;
export const MAX_FOLLOWED_BYTES = 1024 * 1024;
/** Milliseconds without any that output is waited for once the task is over: of a command that was left to itself, or of a node that is away. */
export const LATE_OUTPUT_MS = 5_000;
/** Followers of one task. */
export const MAX_FOLLOWERS = 64;
/** Lines that wait for a follower who is slower than the output. */
export const MAX_WAITING_LINES = 64;
