/** Limits on what members may ask of one another's API at the same time, and on how long each step may take. */

/** Requests answered at the same time, for one member and for all: each holds a stream and the part of its body that has arrived. */
export const MAX_REQUESTS_PER_PEER = 64;
export const MAX_REQUESTS = 512;
/** Lists among these that are read and sent at the same time; others wait. A list may be tens of megabytes, all in memory. */
export const MAX_LISTS_PER_PEER = 8;
export const MAX_LISTS = 32;
/** Watches, which last: counted separately, so that they leave room for requests. */
export const MAX_WATCHES_PER_PEER = 128;
export const MAX_WATCHES = 512;

/** Requests that this node runs at one peer; fewer than the peer accepts, since the peer learns of their end a little later. */
export const MAX_ASKED_PER_PEER = 32;
/** Requests that wait for their turn beyond that. */
export const MAX_WAITING_PER_PEER = 256;

/** Milliseconds for the head of a request to arrive once the stream is open, and for all of its body. */
export const HEAD_MS = 5_000;
export const BODY_MS = 15_000;
/** Milliseconds after which an asker that has stopped reading is given up. */
export const STALL_MS = 60_000;
/** Milliseconds for the other side to end its half after an answer. */
export const FAREWELL_MS = 2_000;

/**
 * An answer has to bring this many bytes in each timeout (a slow modem's worth), or end: a peer that sends a byte now and then is
 * no better than one that sends nothing.
 */
export const TRICKLE_BYTES = 4 * 1024;
/** Milliseconds after which an answer that its reader has stopped reading is dropped. */
export const UNREAD_MS = 60_000;
