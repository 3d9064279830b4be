import type { Soon } from '../../store/local-store.types.ts';

export type { Soon } from '../../store/local-store.types.ts';

/**
 * Passes a value to `next`: immediately if it is there. Awaiting a value that is there costs a turn of the promise queue, and a
 * short answer would have several. If `value` is not a promise, errors of `next` are thrown here.
 */
export function onward<T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
