import { DtkdError } from '../../../../../protocol/errors.ts';

/** A time for something as a whole: what it waits for is given up when the time is over or the signal aborts, whether that heeds it or not. */
export interface Deadline {
  /** Aborts when the time is over, too. */
  readonly signal: AbortSignal;
  /** The promise's result; TIMEOUT when the time is over before. */
  race<T>(promise: Promise<T>): Promise<T>;
  /** Lets go of the timer and the signal. */
  end(): void;
}

/** Begins a time limit that ends early with `outer`. */
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
