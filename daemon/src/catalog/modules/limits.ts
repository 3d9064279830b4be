/** What bounds the work with modules. */

/** Bytes of archives kept in memory, so that a command that runs often reads none. */
export const CACHED_BYTES = 64 * 1024 * 1024;
/** A module stays fetchable for other members so long after it was last needed here. Milliseconds: more than an order may wait and run. */
export const KEPT_MS = 30 * 24 * 3_600_000;
/** Of an installed module, renewed at each start and each day. Milliseconds. */
export const INSTALLED_MS = 365 * 24 * 3_600_000;
/** Within this time what is said of who may fetch a module is not said again. Milliseconds. */
export const RENEW_MS = 24 * 3_600_000;
/** Between two looks at what is not needed any more. Milliseconds. */
export const TIDY_MS = 24 * 3_600_000;
/** Files that are written, read or looked at at a time. */
export const AT_ONCE = 16;
