/** Judges the end of the last file at start: how far it is whole, and after which line the log goes on. Pure. */
import { verifyAuditHead } from '../../../../protocol/audit.ts';
import { type AuditLine, hashOf, headOfLine, parseLine, type RecordLine, type Tip } from './audit-line.ts';

const NEWLINE = 0x0a;

export interface Tail {
  /** After which line the log goes on. */
  tip: Tip;
  /** Bytes of the given ones that stay; what comes after them was torn by an abrupt end. */
  keep: number;
  /** The last record that stays, if it is among the bytes. */
  record: RecordLine | undefined;
  /** True if lines after the last signature stay. */
  unsigned: boolean;
}

interface Found extends Tip {
  end: number;
  line: AuditLine | undefined;
}

/**
 * `bytes` are the last ones of a file; `whole` says that they are all. What is signed stays as it is, whatever it says: verifying tells. Of
 * what comes after the last signature, what follows line by line stays. Undefined if there is no signature to go on from.
 */
export function judgeTail(bytes: Uint8Array, whole: boolean): Tail | undefined {
  const lines = readLines(bytes, whole);
  const index = lines.findLastIndex(({ line }) => isSigned(line));
  const signed = lines[index];
  if (signed === undefined) return undefined;
  let tip: Found = signed;
  for (const next of lines.slice(index + 1)) {
    if (next.line === undefined || next.seq !== tip.seq + 1 || next.line.prev !== tip.hash) break;
    tip = next;
  }
  const record = lines.findLast((found) => found.end <= tip.end && found.line !== undefined && 'who' in found.line)?.line;
  return {
    tip: { seq: tip.seq, hash: tip.hash },
    keep: tip.end,
    record: record !== undefined && 'who' in record ? record : undefined,
    unsigned: tip !== signed,
  };
}

/** Where a log goes on whose last file has no signature to go on from: above everything that can be read there. */
export function beyond(bytes: Uint8Array, least: number): Tip {
  const lines = readLines(bytes, true);
  const seq = Math.max(least, ...lines.map((line) => line.seq));
  return { seq, hash: lines.at(-1)?.hash ?? hashOf(bytes) };
}

function isSigned(line: AuditLine | undefined): boolean {
  const signed = line === undefined ? undefined : headOfLine(line);
  return signed !== undefined && verifyAuditHead(signed.head, signed.first);
}

function readLines(bytes: Uint8Array, whole: boolean): Found[] {
  const found: Found[] = [];
  let begin = whole ? 0 : bytes.indexOf(NEWLINE) + 1;
  for (let end = bytes.indexOf(NEWLINE, begin); end >= 0; end = bytes.indexOf(NEWLINE, begin)) {
    const raw = bytes.subarray(begin, end);
    const line = parseLine(Buffer.from(raw).toString('utf8'));
    begin = end + 1;
    found.push({ seq: line?.seq ?? 0, hash: hashOf(raw), end: begin, line });
  }
  return found;
}
