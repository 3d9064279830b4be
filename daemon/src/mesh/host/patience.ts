/**
 * More time on a busy machine. How late this process's own timers come tells how long a turn takes here, and the other side may be on the
 * same machine: a time limit that passes before its turn has come makes both begin anew, which makes the machine busier. Bounded, so that
 * whoever keeps this process busy gains little by it.
 */

const LOOK_INTERVAL_MS = 500;
/** Later than that is not chance. */
const NOTICED_MS = 100;
/** A handshake or a conversation takes several turns of both sides. */
const TURNS = 6;
const MAX_EXTRA_MS = 20_000;
/** A calm look halves what is remembered of a busy one. */
const DECAY = 0.5;

/** The extra time for a lag: pure. */
export function extraFor(lagMs: number): number {
  return lagMs < NOTICED_MS ? 0 : Math.min(Math.round(lagMs * TURNS), MAX_EXTRA_MS);
}

// The process has one event loop, whatever domains it is in.
const now = performance.now.bind(performance);
let lag = 0;
let expected = now() + LOOK_INTERVAL_MS;
setInterval(() => {
  const at = now();
  lag = Math.max(at - expected, lag * DECAY);
  expected = at + LOOK_INTERVAL_MS;
}, LOOK_INTERVAL_MS).unref();

/** The time limit as it is, or longer on a busy machine. */
export function patiently(ms: number): number {
  return ms + extraFor(lag);
}
