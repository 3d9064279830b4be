/** What one member may ask of another's API at once, and how long each step may take. */

/** Requests of one member that are answered at once, and of all members together: each holds a stream and what it has of a body. */
export const MAX_REQUESTS_PER_PEER = 64;
export const MAX_REQUESTS = 512;
/** Lists of them that are read and sent at once; further ones wait. One may be tens of megabytes, all in memory. */
export const MAX_LISTS_PER_PEER = 8;
export const MAX_LISTS = 32;
/** Watches, which stay: counted by themselves, so that they leave room for requests. */
export const MAX_WATCHES_PER_PEER = 128;
export const MAX_WATCHES = 512;

/** Requests that this node has under way at one peer; fewer than a peer answers, since it hears of an end a little later. */
export const MAX_ASKED_PER_PEER = 32;
/** Those that wait for their turn beyond that. */
export const MAX_WAITING_PER_PEER = 256;

/** Milliseconds for the head of a request to come once the stream is open, and for all of its body. */
export const HEAD_MS = 5_000;
export const BODY_MS = 15_000;
/** Milliseconds in which an asker that has stopped reading must take something again. */
export const STALL_MS = 60_000;
/** Milliseconds for the other side to end its half after an answer. */
export const FAREWELL_MS = 2_000;

/**
 * An answer has to bring so many bytes in each timeout (a slow modem's worth), or its end: a peer that sends a byte now and then is as good as
 * one that sends nothing.
 */
export const TRICKLE_BYTES = 4 * 1024;
/** Milliseconds after which an answer that nobody reads on is let go. */
export const UNREAD_MS = 60_000;
