/** Reads audit files in pieces: forwards to verify them, backwards to show the newest lines. Holds at most a piece and a line in memory. */
import type { AuditFile } from './audit-disk.ts';
import { MAX_LINE_BYTES } from './limits.ts';

const PIECE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** The lines of a file up to `size`, then (`rest`) what follows the last line break. A line beyond the maximum length comes in parts. */
export async function* linesOf(file: AuditFile, size: number): AsyncGenerator<{ line: Uint8Array } | { rest: Uint8Array }> {
  let held: Uint8Array = new Uint8Array();
  for (let at = 0; at < size; ) {
    const piece = await file.read(at, Math.min(PIECE_BYTES, size - at));
    if (piece.length === 0) break;
    at += piece.length;
    const bytes = held.length === 0 ? piece : Buffer.concat([held, piece]);
    let begin = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, begin)) {
      yield { line: bytes.subarray(begin, end) };
      begin = end + 1;
    }
    held = bytes.subarray(begin);
    if (held.length > MAX_LINE_BYTES) {
      yield { line: held };
      held = new Uint8Array();
    }
  }
  yield { rest: held };
}

/** The lines of a file up to `size` as text, last line first. */
export async function* linesBackwards(file: AuditFile, size: number): AsyncGenerator<string> {
  let held: Uint8Array = new Uint8Array();
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - PIECE_BYTES);
    const piece = await file.read(begin, end - begin);
    end = begin;
    const bytes: Uint8Array = held.length === 0 ? piece : Buffer.concat([piece, held]);
    let last = bytes.length;
    for (let at = bytes.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1)) {
      if (last > at + 1) yield textOf(bytes.subarray(at + 1, last));
      last = at;
    }
    held = bytes.subarray(0, last);
    if (held.length > MAX_LINE_BYTES) held = new Uint8Array();
  }
  if (held.length > 0) yield textOf(held);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
