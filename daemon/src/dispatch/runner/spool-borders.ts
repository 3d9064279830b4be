/**
 * Where the records of a spool begin and end: walking over their lengths, and remembering some borders so that a walk is never long. Pure.
 */
import { MAX_RECORD_BYTES } from '../../../../protocol/orders/records.ts';

/** Before each record: its length, big-endian. */
export const LENGTH_BYTES = 4;
/** Bytes of a record with its length at most. */
export const MAX_ENTRY_BYTES = LENGTH_BYTES + MAX_RECORD_BYTES;
/** A border is remembered in about every so many bytes: a walk reads no more than this and one record. */
const STRIDE_BYTES = 64 * 1024;

/**
 * Visits whole records, from the border at which `bytes` begins, as long as `visit` says so. `end`: behind the last one visited so.
 * `invalid`: what follows is no record.
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

/** Borders of a spool, ascending, far enough apart. */
export interface Borders {
  /** Tells of a border behind all that were told of. */
  add(offset: number): void;
  /** The last remembered border at or before an offset. */
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
 * Cuts bytes that begin at a border down to whole records of at most so many bytes, but to one record at least. Empty: there is no whole
 * record.
 */
export function wholeRecords(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const { end } = walk(bytes, (start, until) => start === 0 || until <= maxBytes);
  return bytes.subarray(0, end);
}
