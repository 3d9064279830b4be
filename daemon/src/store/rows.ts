import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { refOfKey } from './keys.ts';
import type { Change, Origin } from './object-store.types.ts';

/** An object's row is one byte for its origin, then its JSON. */
const ORIGIN_BYTES = { own: 0x6f, replica: 0x72, projection: 0x70 } as const;
const NEWLINE = 0x0a;

/** The row of an object. */
export function encodeObjectRow(origin: Origin, json: Uint8Array): Uint8Array {
  const row = new Uint8Array(json.length + 1);
  row[0] = ORIGIN_BYTES[origin];
  row.set(json, 1);
  return row;
}

/** How the object came to this node. Throws INTERNAL for a row without an origin. */
export function originOfRow(row: Uint8Array): Origin {
  switch (row[0]) {
    case ORIGIN_BYTES.own:
      return 'own';
    case ORIGIN_BYTES.replica:
      return 'replica';
    case ORIGIN_BYTES.projection:
      return 'projection';
    default:
      throw new DtkdError('INTERNAL', 'an object row in the database has no origin');
  }
}

/** The object as it was written, without parsing it. */
export function jsonOfRow(row: Uint8Array): Uint8Array {
  return row.subarray(1);
}

/** The object, parsed. */
export function objectOfRow(row: Uint8Array): ApiObject {
  return parseStored(jsonOfRow(row));
}

/** Rows are not validated when read: this store wrote them, and LevelDB verifies checksums. */
function parseStored(json: Uint8Array): ApiObject {
  const object: ApiObject = JSON.parse(text(json));
  return object;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** The header of a log row. A row is a header line, the object's JSON, and (for MODIFIED) the JSON of the previous object. */
interface LogHeader {
  type: Change['type'];
  key: string;
  origin: Origin;
  /** Bytes of all log rows ever written before this one, so that the size of any stretch of the log is a difference. */
  before: number;
}

/** Encodes a row of the change log; `changeOfLogRow` decodes it. */
export function encodeLogRow(header: LogHeader, object: Uint8Array, previous: Uint8Array | undefined): Uint8Array {
  const head = `${JSON.stringify(header)}\n`;
  const size = Buffer.byteLength(head);
  const row = Buffer.allocUnsafe(size + object.length + (previous === undefined ? 0 : 1 + previous.length));
  row.write(head);
  row.set(object, size);
  if (previous !== undefined) {
    row[size + object.length] = NEWLINE;
    row.set(previous, size + object.length + 1);
  }
  return row;
}

/** The header of a log row, without parsing the objects. */
export function headerOfLogRow(row: Uint8Array): LogHeader {
  const header: LogHeader = JSON.parse(text(row.subarray(0, row.indexOf(NEWLINE))));
  return header;
}

/** The whole change, as watches report it. */
export function changeOfLogRow(version: number, row: Uint8Array): Change {
  const { type, key, origin } = headerOfLogRow(row);
  const start = row.indexOf(NEWLINE) + 1;
  const end = row.indexOf(NEWLINE, start);
  const object = parseStored(row.subarray(start, end === -1 ? row.length : end));
  const base = { version, type, ref: refOfKey(key), object, origin };
  if (type === 'DELETED') return { ...base, previous: object };
  return end === -1 ? base : { ...base, previous: parseStored(row.subarray(end + 1)) };
}
