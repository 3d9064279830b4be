/** What members may take of this node as a target, and how long things are kept. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Parts of one starter that wait or run: as many as a plan has. */
export const MAX_WAITING_PER_STARTER = 2_000;
/** Bytes of orders of one starter that wait or run: they are in memory. Orders are small, unless they are made to be large. */
export const MAX_TAKEN_BYTES_PER_STARTER = 32 * 1024 * 1024;
/**
 * Orders of one starter that ended without having been started and are remembered, and their bytes; further ones are turned away without a trace, so that
 * nobody fills this disk by asking.
 */
export const MAX_UNSTARTED_PER_STARTER = 4_000;
export const MAX_UNSTARTED_BYTES_PER_STARTER = 8 * 1024 * 1024;
/** Bytes of all parts of one execution that its object here shows: it is written anew with each change of one of them. */
export const MAX_SHOWN_BYTES = 4 * 1024 * 1024;

/** Streams of `/dtkd/dispatch` that one member has open, and all together: an order holds one until it has ended. */
export const MAX_STREAMS_PER_PEER = 512;
export const MAX_STREAMS = 4_096;
/** Requests of one member that are read and judged at once, the others wait unread: each may have a bundle of 1 MiB in it. */
export const MAX_READING_PER_PEER = 16;
/** Searches of one member that are answered at once: an answer may be MAX_FOUND_BYTES. */
export const MAX_FINDING_PER_PEER = 2;
/** With more streams open than this, each has so many bytes of output on its way at most: readers may be slow, all of them. */
export const MANY_STREAMS = 64;
export const RECORDS_BYTES_OF_MANY = 64 * 1024;
/** Parts that are told in one answer, and the bytes of their orders. */
export const MAX_FOUND = 2_000;
export const MAX_FOUND_BYTES = 16 * 1024 * 1024;
/** Orders of one starter that are ready to start on a word, and their bytes with what came along: they are in memory. */
export const MAX_READY_PER_STARTER = 64;
export const MAX_READY_BYTES_PER_STARTER = 8 * 1024 * 1024;
/** Milliseconds for that word to come. */
export const READY_MS = 60_000;
/** Milliseconds for a request to come once its stream is open: it may have a bundle of 1 MiB in it. */
export const REQUEST_MS = 20_000;
/** Milliseconds in which a reader that has stopped must take something again. It comes back by offset. */
export const STALL_MS = 60_000;
/** Milliseconds for the other side to end its half after an answer. */
export const FAREWELL_MS = 2_000;

/** Ids are kept so long after nobody may start them any more: clocks differ, and starters come back late. */
export const KEEP_IDS_MS = DAY_MS;
/** An order that claims to be of a later time than this is of a clock that is wrong; it would be kept for too long. */
export const CLOCK_TOLERANCE_MS = DAY_MS;
/** How often what is over is removed. */
export const SWEEP_MS = HOUR_MS;

/** What a command gets to end by itself, after TERM and before KILL. */
export const KILL_GRACE_MS = 5_000;
/** Ended parts that are kept in memory for those who come back for them at once. */
export const REMEMBERED_PARTS = 256;
/** Milliseconds that a spool stays open for a next reader after it was read. */
export const SPOOL_IDLE_MS = 5_000;
