/** Records of output in their wire form: checked, and turned into the form that clients get. Pure. */
import { decodeCbor } from '../../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { MAX_RECORD_BYTES, type OutputRecord, outputRecord } from '../../../../../protocol/orders/records.ts';
import type { FollowedRecord } from '../../../../../protocol/requests/follow.ts';

/** Bytes of the length before each record. */
const HEADER_BYTES = 4;

/** Where the last whole record in these bytes ends. Errors: FRAME_INVALID for a length that no record has. */
export function wholeRecords(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at);
    if (length === 0 || length > MAX_RECORD_BYTES) throw new DtkdError('FRAME_INVALID', `a record of ${length} bytes`);
    if (at + HEADER_BYTES + length > bytes.length) break;
    at += HEADER_BYTES + length;
  }
  return at;
}

/** The records of these bytes. Errors: FRAME_INVALID if they are not whole records. */
export function readRecords(bytes: Uint8Array): OutputRecord[] {
  if (wholeRecords(bytes) !== bytes.length) throw new DtkdError('FRAME_INVALID', 'the records do not end where they should');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: OutputRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEADER_BYTES + view.getUint32(at);
    records.push(decodeCbor(bytes.subarray(at + HEADER_BYTES, end), outputRecord, 'a record of output'));
    at = end;
  }
  return records;
}

/** Bytes that processes wrote, not counting dtkd's own lines. */
export function printedIn(records: readonly OutputRecord[]): number {
  return records.reduce((sum, { s, d }) => sum + (s === 'log' ? 0 : d.length), 0);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A record as clients get it: text if it is valid UTF-8, else base64. */
export function followedRecord({ t, s, n, c, l, d }: OutputRecord): FollowedRecord {
  const origin = { t, s, n, c, ...(l === undefined ? {} : { l }) };
  try {
    return { ...origin, text: utf8.decode(d) };
  } catch {
    return { ...origin, base64: Buffer.from(d).toString('base64') };
  }
}
