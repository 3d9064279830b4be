/** Puts lines together out of chunks of bytes. A line without end is given out in pieces. No I/O. */

/** A longer line is no line for people. */
const MAX_LINE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

export interface Line {
  /** Without its newline. */
  bytes: Buffer;
  /** False for a piece that no newline ended. */
  whole: boolean;
}

export class LineAssembler {
  #rest: Buffer = Buffer.alloc(0);

  /** Lines that `chunk` completes. */
  add(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE)) {
      lines.push({ bytes: bytes.subarray(0, end), whole: true });
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > MAX_LINE_BYTES) {
      lines.push({ bytes, whole: false });
      bytes = Buffer.alloc(0);
    }
    this.#rest = bytes;
    return lines;
  }

  /** What no newline has ended. */
  flush(): Line[] {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest.length === 0 ? [] : [{ bytes: rest, whole: false }];
  }
}
