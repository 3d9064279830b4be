/** What carrying may take of memory, disk, time and connections. */
import { ANSWERS_PER_TARGET_BYTES, MAX_ANSWER_BYTES } from '../../../../protocol/orders/answer.ts';

/** Answers kept for others: of one target, and of all. */
export const ANSWERS_PER_TARGET = 4_096;
export const ANSWERS = 16_384;
/** What a row counts besides what is sealed. */
export const ROW_BYTES = 512;
/** Answers of this node itself that go into one file: the latest first. */
export const OWN_ANSWERS = 16_384;
/** Bytes of output in them, in a file that this node makes itself; and in that of a member, which takes no more of one target than is kept for it: half of that, so that the rest has room. */
export const OWN_OUTPUT_BYTES = 64 * 1024 * 1024;
export const TOLD_OUTPUT_BYTES = ANSWERS_PER_TARGET_BYTES / 2;
/** How long an answer may be kept: an order waits for seven days, and its id is known for one more. Milliseconds. */
export const MAX_ANSWER_LIFETIME_MS = 9 * 24 * 3_600_000;
/** How often answers that are over are removed. */
export const SWEEP_MS = 60 * 60_000;

/** Members that are asked at once, and at most: a half of a large domain. */
export const ASKED_AT_ONCE = 8;
export const MAX_ASKED = 256;
/** Milliseconds to open a stream, for each frame of an answer, and in which whoever reads must take something. */
export const OPEN_MS = 3_000;
export const FRAME_MS = 10_000;
export const STALL_MS = 30_000;
/** Milliseconds in which one member has to tell all that it has, not counting the time that is not its own: others wait for it. */
export const TELL_MS = 120_000;
/** Milliseconds until a starter says that an answer counts: it waits for its own driver, and writes it down. */
export const TAKE_MS = 30_000;
/** Frames that one member may send: what it can hold, and its own answers. */
export const MAX_FRAMES = 65_536;
/** Members that are answered at a time; each once. */
export const MAX_SERVED = 4;
/** One frame: an answer, and what surrounds it. */
export const MAX_CARRY_FRAME_BYTES = MAX_ANSWER_BYTES + 4 * 1024;
