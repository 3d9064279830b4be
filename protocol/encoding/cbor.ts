/**
 * CBOR (RFC 8949) for the wire. Before anything is allocated, decoding walks the bytes and refuses what no dtkd node sends: indefinite
 * lengths, tags, deep nesting, too many items, lengths beyond the end, trailing bytes, numbers that the decoder would change, and keys
 * that are not text, are duplicated, or that the decoder would rename.
 */
import { isUtf8 } from 'node:buffer';
import { Decoder, Encoder } from 'cbor-x';
import type { z } from 'zod';
import { DtkdError } from '../errors.ts';

const MAX_DEPTH = 12;
const MAX_ITEMS = 65_536;
const NEGATIVE_IN_8_BYTES = 0x3b;
/** A key that would change an object's prototype. The decoder renames it, so what is read would not be what was signed. */
const FORBIDDEN_KEY = Buffer.from('__proto__');
/** Up to this many names are compared bytewise, which is faster than making strings of them. */
const FEW_FIELDS = 32;

const encoder = new Encoder({ useRecords: false, tagUint8Array: false, variableMapSize: true });
/**
 * Times exceed 2^32: other encoders send them as 8-byte integers, this one as floats. Both decode to the same number. (The decoder's
 * types lack this option.)
 */
const READING = { useRecords: false, mapsAsObjects: true, int64AsNumber: true };
const decoder = new Decoder(READING);

export function encodeCbor(value: unknown): Uint8Array {
  return Uint8Array.from(encoder.encode(value));
}

/**
 * Decodes one value and parses it by the schema. `maxDepth`: for frames with users' documents, which nest deeper. Throws only
 * FRAME_INVALID, naming the field.
 */
export function decodeCbor<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string, { maxDepth = MAX_DEPTH } = {}): T {
  checkWellFormed(bytes, what, maxDepth);
  let value: unknown;
  try {
    value = decoder.decode(bytes);
  } catch (cause) {
    throw new DtkdError('FRAME_INVALID', `${what} is not valid CBOR`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new DtkdError('FRAME_INVALID', `${what} is not as expected: ${issue?.path.join('.') || 'value'}: ${issue?.message ?? 'invalid'}`);
}

interface Walk {
  bytes: Uint8Array;
  /** Start and end of the field names read so far, for each small map on the way to the current place. */
  names: number[];
  view: DataView;
  at: number;
  items: number;
  what: string;
  maxDepth: number;
}

function checkWellFormed(bytes: Uint8Array, what: string, maxDepth: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const walk: Walk = { bytes, names: [], view, at: 0, items: 0, what, maxDepth };
  walkItem(walk, 0);
  if (walk.at !== bytes.length) throw refuse(what, 'bytes are left over');
}

function refuse(what: string, why: string): DtkdError {
  return new DtkdError('FRAME_INVALID', `${what} is not valid CBOR: ${why}`);
}

function walkItem(walk: Walk, depth: number): void {
  const { major, argument } = readHead(walk, depth);
  if (major === 2 || major === 3) {
    skip(walk, argument);
  } else if (major === 4 || major === 5) {
    const count = major === 5 ? argument * 2 : argument;
    // Every item takes at least one byte, so a count beyond the remaining bytes is a lie.
    if (count > walk.view.byteLength - walk.at) throw refuse(walk.what, 'it ends too early');
    if (major === 5) walkMap(walk, depth, argument);
    else for (let index = 0; index < argument; index += 1) walkItem(walk, depth + 1);
  }
}

/** Refuses duplicate fields: implementations could read different ones of them, and what was signed would have two meanings. */
function walkMap(walk: Walk, depth: number, count: number): void {
  const { names } = walk;
  const first = names.length;
  const many = count > FEW_FIELDS ? new Set<string>() : undefined;
  for (let index = 0; index < count; index += 1) {
    const start = walkName(walk, depth + 1);
    if (many === undefined ? isThere(walk, first, start) : many.size === many.add(textOf(walk, start)).size) {
      throw refuse(walk.what, `the field ${JSON.stringify(textOf(walk, start).slice(0, 80))} is there twice`);
    }
    if (many === undefined) names.push(start, walk.at);
    walkItem(walk, depth + 1);
  }
  names.length = first;
}

/** Reads a field's name, up to `walk.at`. Returns where it starts. */
function walkName(walk: Walk, depth: number): number {
  const { major, argument } = readHead(walk, depth);
  if (major !== 3) throw refuse(walk.what, 'the name of a field is not text');
  const start = walk.at;
  take(walk, argument, () => undefined);
  const { bytes, at: end } = walk;
  if (argument === FORBIDDEN_KEY.length && FORBIDDEN_KEY.equals(bytes.subarray(start, end))) {
    throw refuse(walk.what, 'a field must not be named "__proto__"');
  }
  let at = start;
  while (at < end && (bytes[at] ?? 0) < 0x80) at += 1;
  if (at < end && !isUtf8(bytes.subarray(start, end))) throw refuse(walk.what, 'the name of a field is not UTF-8');
  return start;
}

/** True if the map already has the name from `start` to `walk.at`. `first`: where the names of this map begin in `names`. */
function isThere({ bytes, names, at: end }: Walk, first: number, start: number): boolean {
  for (let index = first; index < names.length; index += 2) {
    const from = names[index] ?? 0;
    if ((names[index + 1] ?? 0) - from !== end - start) continue;
    let at = start;
    while (at < end && bytes[at] === bytes[from + at - start]) at += 1;
    if (at === end) return true;
  }
  return false;
}

function textOf({ bytes, at }: Walk, start: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, at - start).toString();
}

function readHead(walk: Walk, depth: number): { major: number; argument: number } {
  if (depth > walk.maxDepth) throw refuse(walk.what, `nested deeper than ${walk.maxDepth}`);
  walk.items += 1;
  if (walk.items > MAX_ITEMS) throw refuse(walk.what, `more than ${MAX_ITEMS} items`);
  const head = take(walk, 1, () => walk.view.getUint8(walk.at));
  const major = head >> 5;
  if (major === 6) throw refuse(walk.what, 'tags are not used');
  // The decoder would change such a number. Below -2^32, senders use floats.
  if (head === NEGATIVE_IN_8_BYTES) throw refuse(walk.what, 'a negative number is too large');
  return { major, argument: readArgument(walk, head & 0x1f, major === 7) };
}

function skip(walk: Walk, count: number): void {
  if (count > walk.view.byteLength - walk.at) throw refuse(walk.what, 'it ends too early');
  walk.at += count;
}

function take<T>(walk: Walk, size: number, read: () => T): T {
  if (walk.at + size > walk.view.byteLength) throw refuse(walk.what, 'it ends too early');
  const value = read();
  walk.at += size;
  return value;
}

function readArgument(walk: Walk, info: number, simple: boolean): number {
  if (info < 24) {
    if (simple && (info < 20 || info > 23)) throw refuse(walk.what, 'an unknown simple value');
    return info;
  }
  if (simple && info === 24) throw refuse(walk.what, 'an unknown simple value');
  switch (info) {
    case 24:
      return take(walk, 1, () => walk.view.getUint8(walk.at));
    case 25:
      return take(walk, 2, () => walk.view.getUint16(walk.at));
    case 26:
      return take(walk, 4, () => walk.view.getUint32(walk.at));
    case 27: {
      const value = take(walk, 8, () => walk.view.getBigUint64(walk.at));
      if (!simple && value > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse(walk.what, 'a number is too large');
      return simple ? 0 : Number(value);
    }
    default:
      throw refuse(walk.what, 'indefinite lengths are not used');
  }
}
