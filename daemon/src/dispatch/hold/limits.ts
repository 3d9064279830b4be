/** What holding may take of memory, time and connections. */

/** Members that are given an order, besides the starter itself: enough that one of them meets the target. */
export const HOLDERS = 3;
/** Members that are asked before fewer have to do. */
export const MAX_ASKED = 8;
/** Orders and cancellations kept for one depositor, and for all others in sum. */
export const HELD_PER_DEPOSITOR = 4_096;
export const HELD = 16_384;
/** What a row counts besides what is sealed. */
export const ROW_BYTES = 512;
/** How far clocks may be apart where a time limit is judged. */
export const CLOCK_SLACK_MS = 5 * 60_000;

/** Milliseconds to open a stream, and to get an answer: the target writes it down first. */
export const OPEN_MS = 10_000;
export const ANSWER_MS = 30_000;
/** Milliseconds for a bundle that did not come with its order: well within the time for an answer. */
export const FETCH_BUNDLE_MS = 10_000;
/** Milliseconds that a request may take to arrive, and an answer to be taken. */
export const REQUEST_MS = 10_000;
/** The same where somebody waits for it: depositing and taking back. */
export const PROMPT_MS = 5_000;

/** Rests after a delivery that came to nothing. A target that connects ends them. */
export const FIRST_REST_MS = 1_000;
export const MAX_REST_MS = 5 * 60_000;
/** Targets and holders that are told something at a time. */
export const MAX_ERRANDS = 16;
/** How often what is over is removed. */
export const SWEEP_MS = 10 * 60_000;

/** Requests that are answered at once, to one member and in sum. */
export const MAX_SERVED_PER_PEER = 16;
export const MAX_SERVED = 256;
