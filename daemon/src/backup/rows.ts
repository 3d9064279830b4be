/** The encoding of database rows in a backup: length of the key, length of the value (four bytes each, big-endian), key, value. Pure. */
import { DtkdError } from '../../../protocol/errors.ts';

const LENGTHS = 8;
/** The most bytes of a key: far more than any key has. */
const MAX_KEY_BYTES = 8 * 1024;

export type Row = [key: string, value: Uint8Array];

/** The pieces of an encoded row, to be joined. */
export function encodeRow([key, value]: Row): [Buffer, Uint8Array] {
  const name = Buffer.from(key);
  const head = Buffer.allocUnsafe(LENGTHS + name.length);
  head.writeUInt32BE(name.length, 0);
  head.writeUInt32BE(value.length, 4);
  name.copy(head, LENGTHS);
  return [head, value];
}

/** Decodes all rows of a part. Errors: BACKUP_INVALID if the part is cut inside a row, or the keys do not ascend from `after`. */
export function decodeRows(part: Uint8Array, after: string): Row[] {
  const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  const rows: Row[] = [];
  let last: Uint8Array = Buffer.from(after);
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < LENGTHS) throw broken();
    const keyBytes = bytes.readUInt32BE(at);
    const valueBytes = bytes.readUInt32BE(at + 4);
    const begin = at + LENGTHS;
    if (keyBytes === 0 || keyBytes > MAX_KEY_BYTES || bytes.length - begin < keyBytes + valueBytes) throw broken();
    const name = bytes.subarray(begin, begin + keyBytes);
    const key = name.toString('utf8');
    if (Buffer.compare(last, name) >= 0 || !Buffer.from(key).equals(name)) throw broken();
    last = name;
    rows.push([key, bytes.subarray(begin + keyBytes, begin + keyBytes + valueBytes)]);
    at = begin + keyBytes + valueBytes;
  }
  return rows;
}

function broken(): DtkdError {
  return new DtkdError('BACKUP_INVALID', 'this is not a backup that can be restored: the rows of its database cannot be read', {
    next: 'Choose another backup. Nothing was put in place.',
  });
}
