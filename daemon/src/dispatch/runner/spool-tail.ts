/** The last records of a spool, kept in memory for its followers. Pure. */

/** Maximum bytes kept. The last record is always kept. */
const TAIL_BYTES = 64 * 1024;
/** Dropped entries are cleared out once there are this many. */
const CLEAR_ENTRIES = 256;

export interface Tail {
  /** Offset of the first kept record. */
  readonly start: number;
  /** Drops everything; the next record begins at `offset`. */
  restart(offset: number): void;
  add(entry: Uint8Array): void;
  /** Returns whole records from a border: at most `maxBytes`, but at least one. Undefined if the offset is not a kept border. */
  read(offset: number, maxBytes: number): Uint8Array | undefined;
}

export function createTail(): Tail {
  let entries: { offset: number; bytes: Uint8Array }[] = [];
  /** Index of the first entry that was not dropped. */
  let first = 0;
  let start = 0;
  let end = 0;

  const find = (offset: number): number => {
    let low = first;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((entries[middle]?.offset ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    get start() {
      return start;
    },
    restart(offset) {
      entries = [];
      first = 0;
      start = offset;
      end = offset;
    },
    add(bytes) {
      entries.push({ offset: end, bytes });
      end += bytes.length;
      while (end - start > TAIL_BYTES && first < entries.length - 1) {
        first += 1;
        start = entries[first]?.offset ?? end;
      }
      if (first >= CLEAR_ENTRIES) {
        entries = entries.slice(first);
        first = 0;
      }
    },
    read(offset, maxBytes) {
      const from = find(offset);
      if (entries[from]?.offset !== offset) return undefined;
      const parts: Uint8Array[] = [];
      let size = 0;
      for (let index = from; index < entries.length; index += 1) {
        const bytes = entries[index]?.bytes ?? new Uint8Array();
        if (parts.length > 0 && size + bytes.length > maxBytes) break;
        parts.push(bytes);
        size += bytes.length;
      }
      return Buffer.concat(parts);
    },
  };
}
