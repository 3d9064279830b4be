/** An owner that is missing, and that nobody was seen to delete, may be about to come (an import, a restore). Milliseconds. */
export const SETTLE_MS = 5_000;
/** Objects looked at at once: their transactions share an fsync. */
export const PARALLEL = 8;
/** Objects that wait at most; beyond that all are looked at again when there is room. */
export const MAX_WAITING = 10_000;
/** Rows read in one turn. */
export const PAGE = 500;
/** A deletion that was refused is tried again after this, and twice as long each time. Milliseconds. */
export const FIRST_BACK_OFF_MS = 250;
/** … and at least so often. Milliseconds. */
export const LAST_BACK_OFF_MS = 2 * 60_000;
/** Refusals before an Event says so: what goes together often goes at the second try. */
export const QUIET_REFUSALS = 2;
/** All is looked at again so often, whatever was dropped or missed. Milliseconds. */
export const RESCAN_MS = 10 * 60_000;
