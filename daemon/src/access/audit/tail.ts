/** Judges the end of the last file at start: how much of it is intact, and after which line the log goes on. Pure. */
import { verifyAuditHead } from '../../../../protocol/audit/heads.ts';
import { type AuditLine, hashOf, headOfLine, parseLine, type RecordLine, type Tip } from './audit-line.ts';

const NEWLINE = 0x0a;

export interface Tail {
  /** The line after which the log goes on. */
  tip: Tip;
  /** How many of the given bytes to keep; the rest was torn by an abrupt end. */
  keep: number;
  /** The last line kept, if it is a record, or else the record just before the last signature. */
  record: RecordLine | undefined;
  /** True if lines after the last signature are kept. */
  unsigned: boolean;
}

interface Found extends Tip {
  end: number;
  line: AuditLine | undefined;
}

/**
 * `bytes` are the end of a file, or all of it if `whole` is set. Everything up to the last signature is kept, whatever it says:
 * verification reports faults. Of the lines after it, those that continue the chain are kept. Undefined if there is no valid signature to
 * go on from.
 */
export function judgeTail(bytes: Uint8Array, whole: boolean): Tail | undefined {
  // backwards, since the last signature is near the end
  const after: Found[] = [];
  let end = bytes.lastIndexOf(NEWLINE) + 1;
  let signed: Found | undefined;
  while (end > 0 && signed === undefined) {
    const begin = end < 2 ? 0 : bytes.lastIndexOf(NEWLINE, end - 2) + 1;
    if (begin === 0 && !whole) break;
    const found = readLine(bytes, begin, end);
    if (isSigned(found.line)) signed = found;
    else after.unshift(found);
    end = begin;
  }
  if (signed === undefined) return undefined;
  let tip: Found = signed;
  for (const next of after) {
    if (next.line === undefined || next.seq !== tip.seq + 1 || next.line.prev !== tip.hash) break;
    tip = next;
  }
  const record = tip !== signed ? tip.line : end > 0 ? lineBefore(bytes, end, whole) : undefined;
  return {
    tip: { seq: tip.seq, hash: tip.hash },
    keep: tip.end,
    record: record !== undefined && 'who' in record ? record : undefined,
    unsigned: tip !== signed,
  };
}

/** Where a log goes on if its last file has no signature to go on from: after all line numbers that can be read there. */
export function beyond(bytes: Uint8Array, least: number): Tip {
  let tip: Tip = { seq: least, hash: hashOf(bytes) };
  for (let begin = 0, end = bytes.indexOf(NEWLINE); end >= 0; begin = end + 1, end = bytes.indexOf(NEWLINE, begin)) {
    const found = readLine(bytes, begin, end + 1);
    tip = { seq: Math.max(tip.seq, found.seq), hash: found.hash };
  }
  return tip;
}

function isSigned(line: AuditLine | undefined): boolean {
  const signed = line === undefined ? undefined : headOfLine(line);
  return signed !== undefined && verifyAuditHead(signed.head, signed.first);
}

function lineBefore(bytes: Uint8Array, end: number, whole: boolean): AuditLine | undefined {
  const begin = end < 2 ? 0 : bytes.lastIndexOf(NEWLINE, end - 2) + 1;
  return begin === 0 && !whole ? undefined : readLine(bytes, begin, end).line;
}

/** The line between these positions, which include its line break. */
function readLine(bytes: Uint8Array, begin: number, end: number): Found {
  const raw = bytes.subarray(begin, end - 1);
  const line = parseLine(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('utf8'));
  return { seq: line?.seq ?? 0, hash: hashOf(raw), end, line };
}
