/** Assembles whole lines from chunks of bytes, so that lines of several targets do not mix. No I/O. */

/** A longer line is returned in pieces. */
const MAX_LINE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

export class LineAssembler {
  #rest: Buffer[] = [];
  #restBytes = 0;

  /**
   * Returns all lines that `chunk` completes, with their newlines. A line that is too long comes without a newline. Empty if there is none
   * yet.
   */
  add(chunk: Buffer): Buffer {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      this.#keep(chunk);
      return this.#restBytes > MAX_LINE_BYTES ? this.flush() : Buffer.alloc(0);
    }
    const block = this.#restBytes === 0 ? chunk.subarray(0, end) : Buffer.concat([...this.#rest, chunk.subarray(0, end)]);
    this.#rest = [];
    this.#restBytes = 0;
    if (end < chunk.length) this.#keep(chunk.subarray(end));
    return block;
  }

  /** Returns the unfinished last line. */
  flush(): Buffer {
    const rest = Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    return rest;
  }

  #keep(bytes: Buffer): void {
    this.#rest.push(bytes);
    this.#restBytes += bytes.length;
  }
}
