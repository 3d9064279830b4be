/** How long to wait before dialling again: pure. */

/** First wait after a failure; doubled each time. */
const FIRST_WAIT_MS = 250;
/** On a local network trying costs nothing, and a site that comes back should be seen at once. */
export const LAN_MAX_WAIT_MS = 2_000;
/** Over the internet. */
export const WAN_MAX_WAIT_MS = 30_000;
/** While not a single member is connected: this node hears of nothing, and nobody may know where it is. */
export const ALONE_MAX_WAIT_MS = 5_000;

export interface Circumstances {
  /** The member is in the local network, and it was not its being busy that made the dial fail. */
  lan: boolean;
  /** No member is connected, and an address of this one is known. */
  alone: boolean;
}

/** Wait after `failures` failures in a row; `random` in [0, 1) spreads diallers over the last quarter of it. */
export function backoff(failures: number, { lan, alone }: Circumstances, random: number): number {
  const cap = lan ? LAN_MAX_WAIT_MS : alone ? ALONE_MAX_WAIT_MS : WAN_MAX_WAIT_MS;
  const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(Math.max(failures - 1, 0), 16), cap);
  return Math.round(wait * (0.75 + 0.25 * random));
}

/** Between tries of a member that is away and that nobody asks for: how late its return may be noticed, if it does not come by itself. */
const PROBE_WAIT_MS = 60_000;

/** Wait before such a member is tried again. */
export function probeWait(random: number): number {
  return Math.round(PROBE_WAIT_MS * (0.75 + 0.25 * random));
}
