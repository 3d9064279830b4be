/** How long to wait before dialling again. Pure. */

/** Wait after the first failure; doubled after each further one. */
const FIRST_WAIT_MS = 250;
/** Longest wait for a member in the local network: trying costs nothing there, and a site that comes back should be noticed at once. */
export const LAN_MAX_WAIT_MS = 2_000;
/** Longest wait for other members. */
export const WAN_MAX_WAIT_MS = 30_000;
/** Longest wait while no member at all is connected: this node learns nothing then, and perhaps nobody knows where it is. */
export const ALONE_MAX_WAIT_MS = 5_000;

export interface Circumstances {
  /** The member is in the local network, and the dial did not fail because the member was busy. */
  lan: boolean;
  /** No member is connected, and an address of this one is known. */
  alone: boolean;
}

/** Wait after `failures` consecutive failures. `random` in [0, 1) spreads the dials over the last quarter of it. */
export function backoff(failures: number, { lan, alone }: Circumstances, random: number): number {
  const cap = lan ? LAN_MAX_WAIT_MS : alone ? ALONE_MAX_WAIT_MS : WAN_MAX_WAIT_MS;
  const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(Math.max(failures - 1, 0), 16), cap);
  return Math.round(wait * (0.75 + 0.25 * random));
}

/** Interval between tries of an absent member that nobody asks for: how late its return may be noticed if it does not dial us. */
const PROBE_WAIT_MS = 60_000;

/** Wait before such a member is tried again, spread like `backoff`. */
export function probeWait(random: number): number {
  return Math.round(PROBE_WAIT_MS * (0.75 + 0.25 * random));
}
