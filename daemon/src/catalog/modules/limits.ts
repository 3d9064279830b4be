/** Limits and intervals for work with modules. */

/** Bytes of archives cached in memory, so that commands that run often need not read them. */
export const CACHED_BYTES = 64 * 1024 * 1024;
/** Milliseconds for which a module stays available to other members after its last use here: longer than an order may wait and run. */
export const KEPT_MS = 30 * 24 * 3_600_000;
/** The same for an installed module; renewed at each start and each day. */
export const INSTALLED_MS = 365 * 24 * 3_600_000;
/** Milliseconds: availability is renewed only if that extends it by at least this long. */
export const RENEW_MS = 24 * 3_600_000;
/** Milliseconds between two searches for what is no longer needed. */
export const TIDY_MS = 24 * 3_600_000;
/** Files that are written, read or examined concurrently. */
export const AT_ONCE = 16;
