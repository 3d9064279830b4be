/** Limits on the memory, disk, time and connections that carrying uses. */
import { ANSWERS_PER_TARGET_BYTES, MAX_ANSWER_BYTES } from '../../../../protocol/orders/answer.ts';

/** Answers kept for others: per target, and in total. */
export const ANSWERS_PER_TARGET = 4_096;
export const ANSWERS = 16_384;
/** Bytes that a row counts in addition to its sealed part. */
export const ROW_BYTES = 512;
/** This node's own answers in one file: the latest ones. */
export const OWN_ANSWERS = 16_384;
/**
 * Bytes of output in them: in a file that this node writes, and in what it sends to a member that writes one. That member accepts no more
 * per target than it would keep; half of that leaves room for the rest of the answers.
 */
export const OWN_OUTPUT_BYTES = 64 * 1024 * 1024;
export const TOLD_OUTPUT_BYTES = ANSWERS_PER_TARGET_BYTES / 2;
/** How long an answer may be kept, in milliseconds: an order waits for seven days, and its id is remembered for one more. */
export const MAX_ANSWER_LIFETIME_MS = 9 * 24 * 3_600_000;
/** Interval at which expired answers are removed. */
export const SWEEP_MS = 60 * 60_000;

/** Members asked concurrently, and in total: half of a large domain. */
export const ASKED_AT_ONCE = 8;
export const MAX_ASKED = 256;
/** Milliseconds to open a stream, to wait for each frame, and until a stalled reader must take something. */
export const OPEN_MS = 3_000;
export const FRAME_MS = 10_000;
export const STALL_MS = 30_000;
/** Milliseconds in which one member must send all that it has, since others wait for it. Only time spent waiting for the member counts. */
export const TELL_MS = 120_000;
/** Milliseconds for a starter to confirm that an answer counts: it waits for its own driver, and writes the answer down. */
export const TAKE_MS = 30_000;
/** Frames that one member may send: what it can hold, and its own answers. */
export const MAX_FRAMES = 65_536;
/** Members served at a time, with one stream each. */
export const MAX_SERVED = 4;
/** Bytes of one frame: an answer and its envelope. */
export const MAX_CARRY_FRAME_BYTES = MAX_ANSWER_BYTES + 4 * 1024;
