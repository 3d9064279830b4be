/**
 * Time limits that hold, and leave nothing behind. `AbortSignal.any` keeps an `AbortSignal.timeout` alive only while somebody
 * listens: a signal that is only polled, or that has no listener for a moment, is collected together with its timer and never
 * aborts. And a combined signal that becomes a source of another one is never freed.
 */

/** Keeps the sources of a signal alive as long as the signal. */
const made = new WeakMap<AbortSignal, readonly AbortSignal[]>();

/** Aborts after `ms` milliseconds, or when one of `others` does. */
export function within(ms: number, ...others: readonly AbortSignal[]): AbortSignal {
  const limit = new AbortController();
  setTimeout(() => limit.abort(new DOMException('the time for it has run out', 'TimeoutError')), ms).unref();
  const all = [...others, limit.signal];
  const first = AbortSignal.any(all);
  made.set(first, all);
  return first;
}
