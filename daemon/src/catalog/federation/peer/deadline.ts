import { DtkdError } from '../../../../../protocol/errors.ts';

/**
 * A time limit for an operation as a whole: waiting ends when the time is over or the signal aborts, even if the operation ignores both.
 */
export interface Deadline {
  /** Also aborts when the time is over. */
  readonly signal: AbortSignal;
  /** Returns the promise's result; throws TIMEOUT if the time is over first, UNAVAILABLE if the outer signal aborts. */
  race<T>(promise: Promise<T>): Promise<T>;
  /** Releases the timer and the signal. */
  end(): void;
}

/** Starts a time limit that also ends when `outer` aborts. */
export function deadline(timeoutMs: number, outer: AbortSignal): Deadline {
  const controller = new AbortController();
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => undefined);
  const fail = (error: DtkdError) => {
    over.reject(error);
    controller.abort(error);
  };
  const timer = setTimeout(() => fail(new DtkdError('TIMEOUT', `it did not answer within ${timeoutMs} ms`)), timeoutMs);
  const aborted = () => fail(new DtkdError('UNAVAILABLE', 'nobody waits for the answer any more'));
  if (outer.aborted) aborted();
  outer.addEventListener('abort', aborted, { once: true });
  return {
    signal: controller.signal,
    race: (promise) => Promise.race([promise, over.promise]),
    end() {
      clearTimeout(timer);
      outer.removeEventListener('abort', aborted);
    },
  };
}
