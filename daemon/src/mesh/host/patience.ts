/**
 * Allows more time on a busy machine. The lateness of this process's own timers shows how long a turn takes here, and the other side may
 * run on the same machine. A time limit that passes before its turn has come makes both start over, and so the machine busier. The extra
 * time is bounded, so that keeping this process busy gains an attacker little.
 */

/** Interval of looks. Each wakes a daemon at rest, so other frequent checks are done at the same time (`onLook`). */
export const LOOK_MS = 1_000;
/** Lateness below this is chance. Milliseconds. */
const NOTICED_MS = 100;
/** Turns of both sides that a handshake or a conversation takes. */
const TURNS = 6;
const MAX_EXTRA_MS = 20_000;
/** Two calm looks halve what is remembered of a busy one. */
const DECAY = 0.7;

/** The extra time for a lag. Pure. */
export function extraFor(lagMs: number): number {
  return lagMs < NOTICED_MS ? 0 : Math.min(Math.round(lagMs * TURNS), MAX_EXTRA_MS);
}

// One for the process, since it has one event loop for all its domains.
const now = performance.now.bind(performance);
let lag = 0;
let expected = now() + LOOK_MS;
const listeners = new Set<() => void>();
setInterval(() => {
  const at = now();
  lag = Math.max(at - expected, lag * DECAY);
  expected = at + LOOK_MS;
  for (const listener of listeners) listener();
}, LOOK_MS).unref();

/** How late the timers of this process fire, in milliseconds. */
export function currentLag(): number {
  return lag;
}

/** Calls back at each look. Returns a function that ends this. */
export function onLook(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The time limit, extended on a busy machine. */
export function patiently(ms: number): number {
  return ms + extraFor(lag);
}
