/** Limits on the disk, time and connections that content uses. */
import { MAX_MODULE_BYTES } from '../../../../protocol/definitions/module.ts';

/** Bytes of one frame of content: a stream carries several without waiting. */
export const CHUNK_BYTES = 64 * 1024;
/** Maximum bytes kept. */
export const DEFAULT_CONTENT_BYTES = 4 * 1024 ** 3;
/** Maximum size of a file whose size nobody stated: that of a module. */
export const MAX_UNTOLD_BYTES = MAX_MODULE_BYTES;
/** How long a file that nobody may fetch is kept after its last use: uploads, and files fetched to be put in place. */
export const KEEP_UNUSED_MS = 24 * 3_600_000;
/** A file that was used within this time is kept even if room is needed: somebody may be reading it. */
export const KEEP_BUSY_MS = 15 * 60_000;
/** Interval at which unneeded files are removed. */
export const SWEEP_MS = 3_600_000;
/** Granularity of the recorded time of last use. */
export const USE_GRAIN_MS = 3_600_000;
/** Maximum number of readers of one file: twice the targets of a plan, and some more. */
export const MAX_READERS = 8_192;

/** Milliseconds to open a stream. */
export const OPEN_MS = 10_000;
/** Milliseconds for the first frame of an answer: the request may have to wait its turn. */
export const HEAD_MS = 120_000;
/** Milliseconds without a frame, or in which the other side reads nothing. */
export const STALL_MS = 30_000;
/** Milliseconds for a request to arrive. */
export const REQUEST_MS = 10_000;
/** Milliseconds for the asker to close the stream after everything was sent. */
export const FAREWELL_MS = 10_000;
/** How long a fetch goes on without progress. Milliseconds. */
export const FETCH_PATIENCE_MS = 10 * 60_000;
/** First and longest pause between two rounds of asking. Milliseconds. */
export const FIRST_REST_MS = 250;
export const MAX_REST_MS = 15_000;
/** Concurrent fetches into memory, from one member and in total. They are bundles of at most 1 MiB each. */
export const MAX_IN_MEMORY_PER_PEER = 4;
export const MAX_IN_MEMORY = 32;
/** Members asked per round. */
export const MAX_ASKED = 16;

/** Streams served at a time, to one member and in total. Further streams wait their turn, up to a limit, beyond which they are refused. */
export const MAX_SERVED_PER_PEER = 4;
export const MAX_SERVED = 32;
export const MAX_WAITING_PER_PEER = 16;
export const MAX_WAITING = 2_048;

/**
 * Members that give pieces of one file at a time; and pieces asked of one of them at a time: as many streams as it serves one member,
 * less two for other fetches.
 */
export const MAX_GIVERS = 6;
export const PIECES_PER_GIVER = 2;
/** Members asked for the same piece at a time. */
export const MAX_ATTEMPTS = 3;
/** Milliseconds for the first frame of a piece, for each further one, and for the whole piece. Short, because others can be asked. */
export const PIECE_HEAD_MS = 15_000;
export const PIECE_STALL_MS = 10_000;
export const PIECE_MS = 60_000;
/** Milliseconds before an idle member is asked for a piece that is still in progress elsewhere. */
export const TAKE_OVER_MS = 2_000;
/** How long a fetch in pieces goes on without progress, in milliseconds: somebody waits for it at a terminal. */
export const PIECE_PATIENCE_MS = 90_000;
/** How long a member that gave wrong bytes is not asked for that content. After that, its disk may be repaired. Milliseconds. */
export const DISTRUST_MS = 3_600_000;
/** Maximum number of contents for which that is remembered. */
export const MAX_DISTRUSTED = 256;
