/** An owner that is missing, and whose deletion was not observed, may be about to arrive (an import, a restore). Milliseconds. */
export const SETTLE_MS = 5_000;
/** Objects checked at once. Their transactions share an fsync. */
export const PARALLEL = 8;
/** The most waiting objects. If there are more, everything is scanned again once there is room. */
export const MAX_WAITING = 10_000;
/** Rows read at once. */
export const PAGE = 500;
/** First retry interval of a refused deletion, doubled each time. Milliseconds. */
export const FIRST_BACK_OFF_MS = 250;
/** The longest retry interval. Milliseconds. */
export const LAST_BACK_OFF_MS = 2 * 60_000;
/** Refusals before an Event reports them: objects deleted together often succeed at the second attempt. */
export const QUIET_REFUSALS = 2;
/** Interval of full scans, which find whatever was dropped or missed. Milliseconds. */
export const RESCAN_MS = 10 * 60_000;
