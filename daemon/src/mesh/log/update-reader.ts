/**
 * Reads the bytes of a Yjs update (version 1) without Yjs, and refuses everything but what a dtkd author writes: the author's one client,
 * entries of the root map `objects`, each with one plain JSON value, and deletions. Allocates only for bytes that are present, never for a
 * claimed length. Text formats, embeds, XML, binary, sub-documents, gaps, other roots, right origins and already deleted structs are
 * refused, so Yjs never sees them.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { MAX_VALUE_DEPTH } from './limits.ts';

export const ROOT = 'objects';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface UpdateItem {
  clock: number;
  /** The map key, or the clock of the item that it replaces (and whose key it has). */
  target: { key: string } | { after: number };
  value: Json;
  /** Bytes of the value in the update. */
  size: number;
  /** Number of JSON values in it, including nested ones. */
  values: number;
}

export interface Update {
  items: UpdateItem[];
  /** Deleted clocks as ranges, in order and disjoint. */
  deleted: { clock: number; length: number }[];
}

/** Struct header bits and content types of the Yjs encoding. */
const HAS_ORIGIN = 0x80;
const HAS_PARENT_KEY = 0x20;
const CONTENT_ANY = 8;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

interface Reader {
  bytes: Uint8Array;
  view: DataView;
  at: number;
  /** JSON values read so far. */
  values: number;
}

function refuse(why: string): DtkdError {
  return new DtkdError('ENTRY_INVALID', `a log entry's update is refused: ${why}`);
}

/** Reads an update of `client` whose first struct is at `clock`. Throws ENTRY_INVALID and nothing else. */
export function readUpdate(bytes: Uint8Array, client: number, clock: number): Update {
  const reader = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0, values: 0 };
  const update = { items: readItems(reader, client, clock), deleted: readDeleted(reader, client) };
  if (reader.at !== bytes.length) throw refuse('bytes are left over');
  return update;
}

function readItems(reader: Reader, client: number, clock: number): UpdateItem[] {
  const clients = readUint(reader);
  if (clients === 0) return [];
  if (clients > 1) throw refuse('it writes as several clients');
  const count = readUint(reader);
  if (count === 0 || count > left(reader)) throw refuse('its number of structs is impossible');
  if (readUint(reader) !== client) throw refuse("it writes as another client than its epoch's");
  if (readUint(reader) !== clock) throw refuse('it does not begin where the state ends');
  const items: UpdateItem[] = [];
  for (let index = 0; index < count; index += 1) items.push(readItem(reader, client, clock + index));
  return items;
}

function readItem(reader: Reader, client: number, clock: number): UpdateItem {
  const info = readByte(reader);
  let target: UpdateItem['target'];
  if (info === (CONTENT_ANY | HAS_PARENT_KEY | HAS_ORIGIN)) {
    if (readUint(reader) !== client) throw refuse('it continues what another client wrote');
    target = { after: readUint(reader) };
  } else if (info === (CONTENT_ANY | HAS_PARENT_KEY)) {
    if (readUint(reader) !== 1 || readString(reader) !== ROOT) throw refuse('it writes outside the map of objects');
    target = { key: readString(reader) };
  } else {
    throw refuse(`a struct of type ${info} is not used`);
  }
  if (readUint(reader) !== 1) throw refuse('a struct must hold exactly one value');
  const [begin, before] = [reader.at, reader.values];
  const value = readAny(reader, 0);
  return { clock, target, value, size: reader.at - begin, values: reader.values - before };
}

function readDeleted(reader: Reader, client: number): Update['deleted'] {
  const clients = readUint(reader);
  if (clients === 0) return [];
  if (clients > 1 || readUint(reader) !== client) throw refuse('it deletes what another client wrote');
  const count = readUint(reader);
  if (count === 0 || count > left(reader)) throw refuse('its number of deletions is impossible');
  const deleted: Update['deleted'] = [];
  let end = 0;
  for (let index = 0; index < count; index += 1) {
    const range = { clock: readUint(reader), length: readUint(reader) };
    // Otherwise a few bytes could make us walk the same long range again and again.
    if (range.clock < end) throw refuse('its deletions are not in order');
    end = range.clock + range.length;
    deleted.push(range);
  }
  return deleted;
}

function left(reader: Reader): number {
  return reader.bytes.length - reader.at;
}

function readByte(reader: Reader): number {
  const byte = reader.bytes[reader.at];
  if (byte === undefined) throw refuse('it ends too early');
  reader.at += 1;
  return byte;
}

function readUint(reader: Reader): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = readByte(reader);
    value += (byte & 0x7f) * factor;
    if (value > Number.MAX_SAFE_INTEGER) throw refuse('a number is too large');
    if (byte < 0x80) return value;
    if (factor >= 2 ** 49) throw refuse('a number is too long');
  }
}

function readInt(reader: Reader): number {
  const head = readByte(reader);
  const sign = (head & 0x40) === 0 ? 1 : -1;
  const low = head & 0x3f;
  if ((head & 0x80) === 0) return sign * low;
  const value = low + 64 * readUint(reader);
  if (value > Number.MAX_SAFE_INTEGER) throw refuse('a number is too large');
  return sign * value;
}

function readString(reader: Reader): string {
  const length = readUint(reader);
  if (length > left(reader)) throw refuse('it ends too early');
  const bytes = reader.bytes.subarray(reader.at, reader.at + length);
  reader.at += length;
  try {
    return UTF8.decode(bytes);
  } catch {
    throw refuse('a text is not UTF-8');
  }
}

function readFloat(reader: Reader, size: 4 | 8): number {
  if (size > left(reader)) throw refuse('it ends too early');
  const value = size === 4 ? reader.view.getFloat32(reader.at) : reader.view.getFloat64(reader.at);
  reader.at += size;
  if (!Number.isFinite(value)) throw refuse('a number is not finite');
  return value;
}

/** Reads a value in lib0's self-describing encoding, restricted to JSON: no undefined, big integers or binary. */
function readAny(reader: Reader, depth: number): Json {
  if (depth > MAX_VALUE_DEPTH) throw refuse(`a value is nested deeper than ${MAX_VALUE_DEPTH}`);
  reader.values += 1;
  const type = readByte(reader);
  switch (type) {
    case 126:
      return null;
    case 125:
      return readInt(reader);
    case 124:
      return readFloat(reader, 4);
    case 123:
      return readFloat(reader, 8);
    case 121:
      return false;
    case 120:
      return true;
    case 119:
      return readString(reader);
    case 118:
      return readObject(reader, depth);
    case 117: {
      const count = readCount(reader);
      const values: Json[] = [];
      for (let index = 0; index < count; index += 1) values.push(readAny(reader, depth + 1));
      return values;
    }
    default:
      throw refuse(`a value of type ${type} is not JSON`);
  }
}

function readObject(reader: Reader, depth: number): Json {
  const count = readCount(reader);
  const object: { [key: string]: Json } = {};
  for (let index = 0; index < count; index += 1) {
    const key = readString(reader);
    // Assigning `__proto__` would change what the object inherits instead of adding a field, in Yjs' decoder as here.
    if (key === '__proto__' || Object.hasOwn(object, key)) throw refuse('a field name is not allowed here or is there twice');
    object[key] = readAny(reader, depth + 1);
  }
  return object;
}

/** Every element takes at least one byte, so a count beyond the bytes left is false. */
function readCount(reader: Reader): number {
  const count = readUint(reader);
  if (count > left(reader)) throw refuse('it ends too early');
  return count;
}

/** Bytes that a JSON value takes in an update; an upper bound for numbers and lengths. */
export function sizeOfValue(value: unknown): number {
  if (typeof value === 'string') return 1 + sizeOfText(value);
  if (typeof value === 'number') return 9;
  if (typeof value !== 'object' || value === null) return 1;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOfValue(item), LENGTH_BYTES);
  return Object.entries(value).reduce((sum, [key, item]) => sum + sizeOfText(key) + sizeOfValue(item), LENGTH_BYTES);
}

/** Number of JSON values in a value, including nested ones. */
export function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, item) => sum + valuesIn(item), 1);
}

/** Bytes of a type and a length below 2 MiB. */
const LENGTH_BYTES = 4;

function sizeOfText(text: string): number {
  return 3 + Buffer.byteLength(text);
}
