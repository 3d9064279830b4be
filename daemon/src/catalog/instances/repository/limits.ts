/** What bounds the work with repositories. */
import { MAX_MODULE_BYTES, MAX_MODULE_FILES } from '../../../../../protocol/definitions/module.ts';

/** Files of a work tree or of a commit: several large modules. */
export const MAX_TREE_FILES = 4 * MAX_MODULE_FILES;
/** Bytes of all of them. */
export const MAX_TREE_BYTES = 8 * MAX_MODULE_BYTES;
/** Bytes of one file. */
export const MAX_FILE_BYTES = MAX_MODULE_BYTES;
/** Directories within directories. */
export const MAX_DEPTH = 32;
/** Bytes of a commit or a tree object: `MAX_TREE_FILES` names. */
export const MAX_META_BYTES = 8 * 1024 * 1024;
/** Bytes of one pack, which is read as a whole. */
export const MAX_PACK_BYTES = 2 * MAX_TREE_BYTES;
/** Milliseconds that packs stay in memory after the last read: a look at a tree reads many objects. */
export const PACKS_KEPT_MS = 2_000;
/** Faults that one look at a tree tells. */
export const MAX_FAULTS = 50;
/** Files that are written, read or looked at at a time. */
export const AT_ONCE = 32;
/** Commits that one look at the history tells at most. */
export const MAX_LOG = 1_000;
/** Steps back that a revision may name: `HEAD~9999`. */
export const MAX_STEPS_BACK = 9_999;
/** A file that was changed so shortly before it was read may be changed again without a sign of it. Nanoseconds: some ticks of any kernel's clock. */
export const RACY_NS = 100_000_000n;
/** So long is waited for a git that works in the same repository. Milliseconds. */
export const GIT_PATIENCE_MS = 3_000;
/** Lock files of a git that are older than this were left by one that died. Milliseconds: longer than anybody writes a commit message. */
export const GIT_ABANDONED_MS = 3_600_000;
