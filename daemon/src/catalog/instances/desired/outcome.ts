/** The outcome of evaluating a value. Pure. */
import { isRecord } from '../../../../../protocol/encoding/json.ts';

export interface Known {
  value: unknown;
  /** The value is, or contains, that of a secret property, and must not be repeated. */
  secret: boolean;
}

/** `unset`: nothing gives it a value. `broken`: a violation says why there is none; dependent values report nothing more. */
export type Outcome = Known | 'unset' | 'broken';

/**
 * Characters of one value as JSON: the longest text that a property may have. The limit is needed because values are inserted
 * into values, so that small files could expand to large ones.
 */
export const MAX_VALUE = 65_536;
/** Nesting levels of one value. */
const MAX_DEPTH = 64;

export function known(value: unknown, secret = false): Known {
  return { value, secret };
}

export function isKnown(outcome: Outcome): outcome is Known {
  return typeof outcome === 'object';
}

/** Characters of all own values of a component. Each of its resources is written with them. */
export const MAX_VALUES = 256 * 1024;

/** True if a value is within the limit. Stops counting once it is exceeded. */
export function fits(value: unknown, most = MAX_VALUE): boolean {
  return measured(value, most, 0) >= 0;
}

/** The part of `room` that a value leaves over; negative if it does not fit. */
function measured(value: unknown, room: number, depth: number): number {
  if (depth > MAX_DEPTH) return -1;
  if (typeof value === 'string') return room - value.length - 2;
  if (Array.isArray(value)) {
    let left = room - 2;
    for (const item of value) {
      if (left < 0) return left;
      left = measured(item, left - 1, depth + 1);
    }
    return left;
  }
  if (isRecord(value)) {
    let left = room - 2;
    for (const [key, item] of Object.entries(value)) {
      if (left < 0) return left;
      left = measured(item, left - key.length - 4, depth + 1);
    }
    return left;
  }
  return room - 8;
}
