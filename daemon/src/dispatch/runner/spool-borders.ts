/**
 * Finds where the records of a spool begin and end, by walking over their lengths, and remembers some borders so that no walk is long.
 * Pure.
 */
import { MAX_RECORD_BYTES } from '../../../../protocol/orders/records.ts';

/** Length prefix of each record, big-endian. */
export const LENGTH_BYTES = 4;
/** Maximum bytes of a record with its length prefix. */
export const MAX_ENTRY_BYTES = LENGTH_BYTES + MAX_RECORD_BYTES;
/** About one border per so many bytes is remembered: a walk reads no more than this and one record. */
const STRIDE_BYTES = 64 * 1024;

/**
 * Visits whole records from the start of `bytes`, which must be a border, until `visit` returns false. `end`: the end of the last record
 * that `visit` accepted. `invalid`: what follows is not a record.
 */
export function walk(bytes: Uint8Array, visit: (start: number, end: number) => boolean): { end: number; invalid: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + LENGTH_BYTES <= bytes.length) {
    const length = view.getUint32(at);
    if (length === 0 || length > MAX_RECORD_BYTES) return { end: at, invalid: true };
    const end = at + LENGTH_BYTES + length;
    if (end > bytes.length || !visit(at, end)) break;
    at = end;
  }
  return { end: at, invalid: false };
}

/** Remembered borders of a spool, ascending, some distance apart. */
export interface Borders {
  /** Adds a border after all earlier ones. */
  add(offset: number): void;
  /** Returns the last remembered border at or before an offset. */
  before(offset: number): number;
}

export function createBorders(): Borders {
  const known = [0];
  return {
    add(offset) {
      if (offset - (known.at(-1) ?? 0) >= STRIDE_BYTES) known.push(offset);
    },
    before(offset) {
      let low = 0;
      let high = known.length;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if ((known[middle] ?? 0) <= offset) low = middle;
        else high = middle;
      }
      return known[low] ?? 0;
    },
  };
}

/**
 * Cuts bytes that begin at a border down to whole records: at most `maxBytes`, but at least one record. Empty if there is no whole
 * record.
 */
export function wholeRecords(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const { end } = walk(bytes, (start, until) => start === 0 || until <= maxBytes);
  return bytes.subarray(0, end);
}
