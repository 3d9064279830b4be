/** What evaluating something comes to: pure. */
import { isRecord } from '../../../../../protocol/encoding/json.ts';

export interface Known {
  value: unknown;
  /** It is, or is made of, the value of a secret property, and is not to be repeated. */
  secret: boolean;
}

/** `unset`: nobody gave it a value. `broken`: a violation tells why there is none, and what depends on it says nothing more. */
export type Outcome = Known | 'unset' | 'broken';

/** Characters of one value, written as JSON: as long as the longest text of a property may be. Values are put into values, so that small files could mean large ones. */
export const MAX_VALUE = 65_536;
/** Levels of one value. */
const MAX_DEPTH = 64;

export function known(value: unknown, secret = false): Known {
  return { value, secret };
}

export function isKnown(outcome: Outcome): outcome is Known {
  return typeof outcome === 'object';
}

/** Characters of all own values of one component: each of its resources is written with them. */
export const MAX_VALUES = 256 * 1024;

/** True if a value is no larger than one may be. Stops looking as soon as it is. */
export function fits(value: unknown, most = MAX_VALUE): boolean {
  return measured(value, most, 0) >= 0;
}

/** What is left of `room` after a value; negative if it does not fit. */
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
