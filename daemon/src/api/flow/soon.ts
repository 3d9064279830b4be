import type { Soon } from '../../store/local-store.types.ts';

export type { Soon } from '../../store/local-store.types.ts';

/**
 * Goes on with a value: at once if it is there, since to wait for what is there costs a turn of the promises, and a short answer would have several. What
 * `next` throws is then thrown here.
 */
export function onward<T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
