/** Limits of repositories. */
import { MAX_MODULE_BYTES, MAX_MODULE_FILES } from '../../../../../protocol/definitions/module.ts';

/** Files in a work tree or a commit: several large modules. */
export const MAX_TREE_FILES = 4 * MAX_MODULE_FILES;
/** Bytes of all files together. */
export const MAX_TREE_BYTES = 8 * MAX_MODULE_BYTES;
/** Bytes of one file. */
export const MAX_FILE_BYTES = MAX_MODULE_BYTES;
/** Levels of nested directories. */
export const MAX_DEPTH = 32;
/** Bytes of a commit or tree object: `MAX_TREE_FILES` names. */
export const MAX_META_BYTES = 8 * 1024 * 1024;
/** Bytes of one pack, which is read as a whole. */
export const MAX_PACK_BYTES = 2 * MAX_TREE_BYTES;
/** Milliseconds that packs stay in memory after the last read: reading a tree reads many objects. */
export const PACKS_KEPT_MS = 2_000;
/** Faults that one look at a tree reports. */
export const MAX_FAULTS = 50;
/** Files that are written, read or checked in parallel. */
export const AT_ONCE = 32;
/** Commits in one answer of the history. */
export const MAX_LOG = 1_000;
/** Steps back that a revision may ask for: `HEAD~9999`. */
export const MAX_STEPS_BACK = 9_999;
/**
 * A file modified this shortly before it was read may change again without its timestamps showing it. Nanoseconds: several ticks
 * of any kernel's clock.
 */
export const RACY_NS = 100_000_000n;
/** Milliseconds to wait for a git that works in the same repository. */
export const GIT_PATIENCE_MS = 3_000;
/** Milliseconds after which a git's lock file counts as left by a process that died: longer than anyone takes to write a commit message. */
export const GIT_ABANDONED_MS = 3_600_000;
