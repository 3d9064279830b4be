/**
 * More time on a busy machine. How late this process's own timers come tells how long a turn takes here, and the other side may be on the
 * same machine: a time limit that passes before its turn has come makes both begin anew, which makes the machine busier. Bounded, so that
 * whoever keeps this process busy gains little by it.
 */

/** Each look wakes a daemon at rest: what has to be looked at so often is looked at then, too. */
export const LOOK_MS = 1_000;
/** Later than that is not chance. */
const NOTICED_MS = 100;
/** A handshake or a conversation takes several turns of both sides. */
const TURNS = 6;
const MAX_EXTRA_MS = 20_000;
/** Two calm looks halve what is remembered of a busy one. */
const DECAY = 0.7;

/** The extra time for a lag: pure. */
export function extraFor(lagMs: number): number {
  return lagMs < NOTICED_MS ? 0 : Math.min(Math.round(lagMs * TURNS), MAX_EXTRA_MS);
}

// The process has one event loop, whatever domains it is in.
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

/** How late the timers of this process come, in milliseconds. */
export function currentLag(): number {
  return lag;
}

/** Calls back at each look. Returns a function that ends this. */
export function onLook(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The time limit as it is, or longer on a busy machine. */
export function patiently(ms: number): number {
  return ms + extraFor(lag);
}
