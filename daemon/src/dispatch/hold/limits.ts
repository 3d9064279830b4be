/** Limits on the memory, time and connections that holding uses. */

/** Members that hold an order besides the starter: enough that one of them will meet the target. */
export const HOLDERS = 3;
/** Members to ask before settling for fewer holders. */
export const MAX_ASKED = 8;
/** Orders and cancellations kept: per depositor, and in total. */
export const HELD_PER_DEPOSITOR = 4_096;
export const HELD = 16_384;
/** Bytes that a row counts in addition to its sealed part. */
export const ROW_BYTES = 512;
/** How far clocks may be apart when a time limit is checked. */
export const CLOCK_SLACK_MS = 5 * 60_000;

/** Milliseconds to open a stream, and to wait for an answer: the target writes to disk first. */
export const OPEN_MS = 10_000;
export const ANSWER_MS = 30_000;
/** Milliseconds to fetch a bundle that did not come with its order: well within ANSWER_MS. */
export const FETCH_BUNDLE_MS = 10_000;
/** Milliseconds for a request to arrive, and for an answer to be read. */
export const REQUEST_MS = 10_000;
/** Milliseconds for opening and answering where somebody waits: deposits and cancellations. */
export const PROMPT_MS = 5_000;

/** First and longest pause after a failed delivery. A target that connects ends the pause. */
export const FIRST_REST_MS = 1_000;
export const MAX_REST_MS = 5 * 60_000;
/** Members that are told something at a time. */
export const MAX_ERRANDS = 16;
/** Interval at which expired rows are removed. */
export const SWEEP_MS = 10 * 60_000;

/** Requests answered at a time: per member, and in total. */
export const MAX_SERVED_PER_PEER = 16;
export const MAX_SERVED = 256;
