/** What one author may demand of every member, and what this node spends on the logs. An entry beyond a quota is invalid everywhere. */

/** Largest object, as JSON: a Kubernetes object of hundreds of lines; two of them fit into an entry. */
export const MAX_OBJECT_BYTES = 32 * 1024;
/** Objects that one author may have published at any time. */
export const MAX_LIVE_OBJECTS = 10_000;
/** Bytes of one author's present objects, as its updates encode them. */
export const MAX_LIVE_BYTES = 16 * 1024 * 1024;
/** JSON values in one author's objects. Each takes about 64 bytes of memory at every member, though an update can hold one in two bytes. */
export const MAX_LIVE_VALUES = 512 * 1024;
/** Bytes of entries in one epoch. `outgrown` makes an author open the next one after 32 MiB and one transaction at most; more is abuse. */
export const MAX_EPOCH_BYTES = 56 * 1024 * 1024;
/** Bytes of one Yjs update: an entry without its signature, chain and the longest lineage. */
export const MAX_UPDATE_BYTES = 63_000;
/** Nesting depth of one object. The deepest kinds of Kubernetes itself need about 12. */
export const MAX_VALUE_DEPTH = 24;
/** Entries of one author that may wait to be judged. Any more are answered `gap`, so that they come again later. */
export const MAX_PENDING_ENTRIES = 256;

/**
 * Work that one author may cause at once, and then per second. It is counted in objects judged, shown or hidden and in KiB of entries. A
 * whole log takes about 20,000, during which all other writers wait, and an author could repeat it endlessly. A slow machine does several
 * thousand a second.
 */
export const AUTHOR_WORK = 300_000;
export const AUTHOR_WORK_PER_SECOND = 3_000;
/** What each entry costs in addition: its signature, a transaction, an fsync. */
export const ENTRY_WORK = 4;

/** An epoch's log may always grow to this many bytes... */
export const EPOCH_FLOOR_BYTES = 1024 * 1024;
/** ...and to this multiple of its live state, which bounds the disk at 3 times the live state (the store's copy is the third). */
const EPOCH_GROWTH = 2;

/** Bytes of memory for decoded documents of other authors, over all domains. */
export const DOC_CACHE_BYTES = 32 * 1024 * 1024;
/** Rows read at a time; at most 64 KiB each. */
export const ROW_PAGE = 64;

/** Objects of a whole state shown together: their disk reads overlap, while all other writers wait. */
export const SHOW_TOGETHER = 64;

/** Objects per page when the store is listed to publish what it holds. */
export const LIST_PAGE = 500;
/** Delay before a failed attempt to publish what is stored here (a full disk) is repeated. */
export const PUBLISH_RETRY_MS = 30_000;

/**
 * First and longest delay before an object whose place is taken is tried again. The place is soon free, since names are unique and the
 * other object is being renamed. Objects that could not be shown after an upgrade for lack of space are retried in the same way.
 */
export const COLLISION_RETRY_MS = 500;
export const COLLISION_RETRY_MAX_MS = 10 * 60_000;

/** Own entries from elsewhere are taken in once none has come for this long: a sync brings them in bursts. */
export const TAKE_OVER_QUIET_MS = 250;
/** Delay after a take-over that could not be stored (a full disk). */
export const TAKE_OVER_RETRY_MS = 30_000;
/** How long this node waits for a state of its own log that a peer has and it lacks, and asks for it. */
export const WANTED_MS = 60_000;

/** After a restore, with members away: continue once no further member has told us what it has of our log for this long. */
export const REUNION_QUIET_MS = 10_000;
/** … and once nothing new of our own log has come for this long, whatever some claim to have. A sync delivers within seconds. */
export const REUNION_DOUBT_MS = 60_000;
/** How often both are checked meanwhile. */
export const REUNION_CHECK_MS = 100;

/** True if the next write should open a new epoch, because most of the log is history. */
export function outgrown(logBytes: number, liveBytes: number): boolean {
  return logBytes > Math.max(EPOCH_FLOOR_BYTES, EPOCH_GROWTH * liveBytes);
}
