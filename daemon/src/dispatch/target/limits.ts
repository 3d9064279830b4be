/** How much members may use of this node as a target, and how long things are kept. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Parts of one starter that wait or run: as many as a plan can have. */
export const MAX_WAITING_PER_STARTER = 2_000;
/** Bytes of one starter's orders that wait or run, which are in memory. Orders are small unless made large on purpose. */
export const MAX_TAKEN_BYTES_PER_STARTER = 32 * 1024 * 1024;
/**
 * Remembered orders of one starter that ended without having been started, and their bytes. More are refused without a trace, so that
 * nobody can fill this disk by asking.
 */
export const MAX_UNSTARTED_PER_STARTER = 4_000;
export const MAX_UNSTARTED_BYTES_PER_STARTER = 8 * 1024 * 1024;
/** Bytes of all parts of one execution that its object here shows: each change of a part writes it anew. */
export const MAX_SHOWN_BYTES = 4 * 1024 * 1024;

/** Open streams of `/dtkd/dispatch` of one member, and of all together: an order holds one until it has ended. */
export const MAX_STREAMS_PER_PEER = 512;
export const MAX_STREAMS = 4_096;
/** Requests of one member that are read and judged at a time, while others wait unread: each may carry a bundle of 1 MiB. */
export const MAX_READING_PER_PEER = 16;
/** Searches of one member that are answered at a time: an answer may have MAX_FOUND_BYTES. */
export const MAX_FINDING_PER_PEER = 2;
/** With more open streams than this, each may have only so many bytes of output in flight, since all readers may be slow. */
export const MANY_STREAMS = 64;
export const RECORDS_BYTES_OF_MANY = 64 * 1024;
/** Parts in one answer, and the bytes of their orders. */
export const MAX_FOUND = 2_000;
export const MAX_FOUND_BYTES = 16 * 1024 * 1024;
/** Orders of one starter that are ready to start on a word, and their bytes with their bundles, which are in memory. */
export const MAX_READY_PER_STARTER = 64;
export const MAX_READY_BYTES_PER_STARTER = 8 * 1024 * 1024;
/** Milliseconds to wait for that word. */
export const READY_MS = 60_000;
/** Milliseconds for a request to arrive once its stream is open: it may carry a bundle of 1 MiB. */
export const REQUEST_MS = 20_000;
/** Milliseconds within which a reader that has stopped must read again. It can come back by offset. */
export const STALL_MS = 60_000;
/** Milliseconds for the other side to end the stream after an answer. */
export const FAREWELL_MS = 2_000;

/** How long ids are kept after nobody may start them any more: clocks differ, and starters come back late. */
export const KEEP_IDS_MS = DAY_MS;
/** How far in the future the creation of an order may lie. Beyond that a clock is wrong, and the order would be kept too long. */
export const CLOCK_TOLERANCE_MS = DAY_MS;
/** Interval at which old output and parts are removed. */
export const SWEEP_MS = HOUR_MS;

/** Milliseconds for a command to end by itself, between TERM and KILL. */
export const KILL_GRACE_MS = 5_000;
/** Ended parts kept in memory for followers that come back at once. */
export const REMEMBERED_PARTS = 256;
/** Milliseconds that a spool stays open after a read. */
export const SPOOL_IDLE_MS = 5_000;
