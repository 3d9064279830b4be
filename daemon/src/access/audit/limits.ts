/** What the audit log may take of disk, memory and time. */
import { MAX_WITNESS_FRAME_BYTES } from '../../../../protocol/audit/witness.ts';

/** Bytes of one file. Verifying one takes about a second. */
export const FILE_BYTES = 16 * 1024 * 1024;
/** Files kept: 128 MiB in all, some hundred thousand lines. */
export const KEEP_FILES = 8;
/** Lines reach the disk, signed, after at most so long: what a power cut can take. */
export const SYNC_MS = 100;
/** Bytes of lines at most between two signatures; also what is looked through at start to find the last one. */
export const SIGN_BYTES = 256 * 1024;
/** Lines written at a time. */
export const BATCH_LINES = 512;
/** Records that wait while the disk takes none; what comes then is counted, not kept. */
export const MAX_WAITING = 20_000;
/** Between attempts to write to a disk that refused. */
export const RETRY_MS = 5_000;
/** The head is published so often, if there are new lines. */
export const PUBLISH_MS = 3_600_000;
/** Characters of a field of a record; longer ones are cut. */
export const MAX_FIELD = 1_024;
/** Bytes of a line at most: five fields whose every character is escaped, and what surrounds them. */
export const MAX_LINE_BYTES = 5 * 6 * MAX_FIELD + 1_024;
/** Problems that a verification tells; more say no more. */
export const MAX_PROBLEMS = 20;

/** Of the conversation with a peer that is asked which heads it has seen. */
export const WITNESS_LIMITS = { maxFrameBytes: MAX_WITNESS_FRAME_BYTES, timeoutMs: 3_000 } as const;
/** A member whose heads contradict one another is told of in `dtkd status` for so long: a month, to be looked into. */
export const CONTRADICTION_SHOWN_MS = 30 * 24 * 3_600_000;
/** Peers asked at a time. */
export const WITNESS_ASKED_AT_ONCE = 32;
