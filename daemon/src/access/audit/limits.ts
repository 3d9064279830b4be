/** Limits of the audit log on disk, memory and time. */
import { MAX_WITNESS_FRAME_BYTES } from '../../../../protocol/audit/witness.ts';

/** Bytes of one file, which takes about a second to verify. */
export const FILE_BYTES = 16 * 1024 * 1024;
/** Files kept: 128 MiB in all, a few hundred thousand lines. */
export const KEEP_FILES = 8;
/** Milliseconds after which lines are signed and on the disk: as much as a power cut can lose. */
export const SYNC_MS = 100;
/** Bytes of lines between two signatures at most; the start searches a multiple of this for the last one. */
export const SIGN_BYTES = 256 * 1024;
/** Lines written at once. */
export const BATCH_LINES = 512;
/** Records that wait while the disk refuses; any more are only counted. */
export const MAX_WAITING = 20_000;
/** Milliseconds between attempts to write to a disk that refused. */
export const RETRY_MS = 5_000;
/** Milliseconds between publications of the head, if there are new lines. */
export const PUBLISH_MS = 3_600_000;
/** Characters of a field of a record; longer ones are cut. */
export const MAX_FIELD = 1_024;
/** Bytes of a line at most: five fields in which every character is escaped, and what surrounds them. */
export const MAX_LINE_BYTES = 5 * 6 * MAX_FIELD + 1_024;
/** Problems that a verification reports; more would say no more. */
export const MAX_PROBLEMS = 20;

/** Limits of the conversation with a peer that is asked which heads it has seen. */
export const WITNESS_LIMITS = { maxFrameBytes: MAX_WITNESS_FRAME_BYTES, timeoutMs: 3_000 } as const;
/** Milliseconds for which `dtkd status` reports a member whose heads contradict one another: a month, time to look into it. */
export const CONTRADICTION_SHOWN_MS = 30 * 24 * 3_600_000;
/** Peers asked at once. */
export const WITNESS_ASKED_AT_ONCE = 32;
