/** What content may take of disk, time and connections. */
import { MAX_MODULE_BYTES } from '../../../../protocol/definitions/module.ts';

/** Bytes of one frame of content: what a stream carries without waiting, several times over. */
export const CHUNK_BYTES = 64 * 1024;
/** Bytes kept in sum. */
export const DEFAULT_CONTENT_BYTES = 4 * 1024 ** 3;
/** A file whose size nobody told is no larger than a module may be. */
export const MAX_UNTOLD_BYTES = MAX_MODULE_BYTES;
/** What nobody may fetch is kept for so long after it was last used: uploads, and what was fetched to be put in place. */
export const KEEP_UNUSED_MS = 24 * 3_600_000;
/** What was used within this time does not go even when room is needed: somebody is reading it. */
export const KEEP_BUSY_MS = 15 * 60_000;
/** How often what is not needed any more is removed. */
export const SWEEP_MS = 3_600_000;
/** Uses are written down no finer than this. */
export const USE_GRAIN_MS = 3_600_000;
/** Readers of one file at most: twice the targets of a plan, and then some. */
export const MAX_READERS = 8_192;

/** Milliseconds to open a stream. */
export const OPEN_MS = 10_000;
/** Milliseconds for the first frame of an answer: it may have to wait for its turn there. */
export const HEAD_MS = 120_000;
/** Milliseconds without a single frame, or in which the other side takes nothing. */
export const STALL_MS = 30_000;
/** Milliseconds that a request may take to arrive. */
export const REQUEST_MS = 10_000;
/** Milliseconds that the asker has to close a stream after all was sent. */
export const FAREWELL_MS = 10_000;
/** How long a fetch goes on without any progress. */
export const FETCH_PATIENCE_MS = 10 * 60_000;
/** Rests between two rounds of asking. */
export const FIRST_REST_MS = 250;
export const MAX_REST_MS = 15_000;
/** Fetches into memory at a time, from one member and in sum: of bundles, 1 MiB each at most. */
export const MAX_IN_MEMORY_PER_PEER = 4;
export const MAX_IN_MEMORY = 32;
/** Members that are asked in one round. */
export const MAX_ASKED = 16;

/** Streams that are served at once, to one member and in sum; more wait for their turn, and some of those are turned away. */
export const MAX_SERVED_PER_PEER = 4;
export const MAX_SERVED = 32;
export const MAX_WAITING_PER_PEER = 16;
export const MAX_WAITING = 2_048;

/** Members that give pieces of one file at a time, and pieces that one of them is asked for at a time: as many streams as it serves, less two for others. */
export const MAX_GIVERS = 6;
export const PIECES_PER_GIVER = 2;
/** Members that are asked for one piece at a time. */
export const MAX_ATTEMPTS = 3;
/** Milliseconds for the first frame of a piece, for each further one, and for all of it: others can be asked, so that there is no waiting long. */
export const PIECE_HEAD_MS = 15_000;
export const PIECE_STALL_MS = 10_000;
export const PIECE_MS = 60_000;
/** Milliseconds that a piece may be under way before another member that has nothing to do is asked for it too. */
export const TAKE_OVER_MS = 2_000;
/** How long a fetch in pieces goes on without any progress: somebody waits for it at a terminal. Milliseconds. */
export const PIECE_PATIENCE_MS = 90_000;
/** Who gave something else is not asked again for it within this time, after which its disk may be repaired. Milliseconds. */
export const DISTRUST_MS = 3_600_000;
/** Contents of which that is remembered. */
export const MAX_DISTRUSTED = 256;
