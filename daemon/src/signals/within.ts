/**
 * Limits of time that hold, and leave nothing behind. `AbortSignal.any` keeps a signal of `AbortSignal.timeout` only while somebody listens: one that is only looked at now
 * and then, or between two who listen, is collected with its timer, and never aborts. And one that was made of such a signal and is made part of another is kept for ever.
 */

/** What a signal was made of is there as long as it is. */
const made = new WeakMap<AbortSignal, readonly AbortSignal[]>();

/** Aborts after so many milliseconds, or when one of others does. */
export function within(ms: number, ...others: readonly AbortSignal[]): AbortSignal {
  const limit = new AbortController();
  setTimeout(() => limit.abort(new DOMException('the time for it is over', 'TimeoutError')), ms).unref();
  const all = [...others, limit.signal];
  const first = AbortSignal.any(all);
  made.set(first, all);
  return first;
}
