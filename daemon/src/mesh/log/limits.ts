/** What one author may ask of every member, and what this node spends on the logs. An entry beyond a quota is invalid everywhere. */

/** Largest object, as JSON: a Kubernetes object of hundreds of lines; two of them fit into an entry. */
export const MAX_OBJECT_BYTES = 32 * 1024;
/** Objects that one author may have published at a time. */
export const MAX_LIVE_OBJECTS = 10_000;
/** Bytes of one author's present objects, as its updates carry them. */
export const MAX_LIVE_BYTES = 16 * 1024 * 1024;
/** JSON values in them. Each takes some 64 bytes of memory at every member, however few in an update: two for an empty object. */
export const MAX_LIVE_VALUES = 512 * 1024;
/** Bytes of entries in one epoch. An author opens the next one at `outgrown`: after 32 MiB and one transaction. Beyond is abuse. */
export const MAX_EPOCH_BYTES = 56 * 1024 * 1024;
/** Bytes of one Yjs update: an entry less its signature, chain and the longest lineage. */
export const MAX_UPDATE_BYTES = 63_000;
/** Nesting of one object. Kubernetes' own deepest kinds need about 12. */
export const MAX_VALUE_DEPTH = 24;
/** Entries of one author that may wait to be judged; the next is answered `gap`, so that it comes again later. */
export const MAX_PENDING_ENTRIES = 256;

/**
 * Work that one author may make at once, and in each second after that, in objects that are judged, shown or hidden and in KiB of entries: a whole log takes
 * some 20,000, over which all other writers wait, and could be told anew for ever. A slow machine does several thousand a second.
 */
export const AUTHOR_WORK = 300_000;
export const AUTHOR_WORK_PER_SECOND = 3_000;
/** What each entry counts for besides: its signature, a transaction, an fsync. */
export const ENTRY_WORK = 4;

/** An epoch's log may always grow to this many bytes... */
export const EPOCH_FLOOR_BYTES = 1024 * 1024;
/** ...and to this multiple of what lives in it, which bounds the disk at 3 times the live state (the store's copy is the third). */
const EPOCH_GROWTH = 2;

/** Memory for decoded documents of other authors, over all domains. */
export const DOC_CACHE_BYTES = 32 * 1024 * 1024;
/** Rows read at a time; at most 64 KiB each. */
export const ROW_PAGE = 64;

/** Objects of a whole state shown at once: what is read for them comes from the disk together, while all other writers wait. */
export const SHOW_TOGETHER = 64;

/** Objects listed at a time when a domain is opened. */
export const LIST_PAGE = 500;
/** After what is stored here could not be published on opening (a full disk). */
export const PUBLISH_RETRY_MS = 30_000;

/**
 * An object whose place is taken is shown once the other one has moved: soon, since names are unique and somebody is being renamed. What an upgrade found no
 * room to show is tried in the same way.
 */
export const COLLISION_RETRY_MS = 500;
export const COLLISION_RETRY_MAX_MS = 10 * 60_000;

/** Own entries that this process did not write are taken in once none has come for so long: a sync brings them in bursts. */
export const TAKE_OVER_QUIET_MS = 250;
/** After a take-over that could not be stored (a full disk). */
export const TAKE_OVER_RETRY_MS = 30_000;
/** For so long this node leaves its own head out of its heads, so that a peer sends the own state that we lack. */
export const WANTED_MS = 60_000;

/** After a restore: with members away, it goes on when so long no other one has told what it has of our log. */
export const REUNION_QUIET_MS = 10_000;
/** … and when nothing new of our own log has come for so long, whatever some say to have of it. A sync gives what there is within seconds. */
export const REUNION_DOUBT_MS = 60_000;
/** How often it is looked at meanwhile. */
export const REUNION_CHECK_MS = 100;

/** True if the next write should open a new epoch: most of the log is history. */
export function outgrown(logBytes: number, liveBytes: number): boolean {
  return logBytes > Math.max(EPOCH_FLOOR_BYTES, EPOCH_GROWTH * liveBytes);
}
