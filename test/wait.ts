/** The first look comes soon; later ones rest longer, because a look may cost a request to a busy daemon. */
const FIRST_POLL_MS = 5;
const POLL_GROWTH = 1.3;
const MAX_POLL_MS = 60;
/** Waiting costs nothing where it succeeds, and a machine may be many times slower than the one on which a test was written. */
const PATIENCE_MS = 60_000;

export interface WaitOptions {
  /** Only where it has to be longer than usual, or where the time is what is tested. */
  timeoutMs?: number;
  what?: string;
  /** The longest rest between two looks. */
  pollMs?: number;
}

/** Waits until `condition` gives something true (a rejection counts as "not yet") and returns it; throws saying what it waited for. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = PATIENCE_MS, what = 'the condition', pollMs = MAX_POLL_MS }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs;
  let rest = Math.min(FIRST_POLL_MS, pollMs);
  let last: unknown;
  for (;;) {
    try {
      last = undefined;
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= end) {
      const why = last instanceof Error ? `; the last error was: ${last.message}` : '';
      throw new Error(`waited ${timeoutMs} ms for ${what}${why}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, rest));
    rest = Math.min(rest * POLL_GROWTH, pollMs);
  }
}
