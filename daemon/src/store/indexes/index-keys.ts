/**
 * Keys of index rows: `x/GROUP/PLURAL/PATH 0 TYPE VALUE 0 NAMESPACE!NAME`, where each 0 is a zero character. The rows have no value. All
 * rows of one value (a bucket) are adjacent and in the order of the objects; the buckets of a path are in the order of their values.
 */
import { type KeyRange, prefixEnd } from '../kv.ts';

export const INDEX_PREFIX = 'x/';

/** Characters of a text that are part of a key. Texts that share them share a bucket, and the objects have to be checked. */
export const MAX_INDEXED_TEXT = 64;

const TYPES = { boolean: 'b', number: 'n', other: 'o', text: 's', overflow: '~' } as const;
const END = '\0';
/** Sorts after the end of a value, and before anything that may follow in a longer one. */
const PAST_END = '\x01';

export type Scalar = string | number | boolean;

export interface IndexedValue {
  /** The value as part of a key. */
  key: string;
  /** False if other values may share the key. */
  exact: boolean;
}

export function kindIndexPrefix(group: string, plural: string): string {
  return `${INDEX_PREFIX}${group}/${plural}/`;
}

/** The prefix of all keys of a path. */
export function pathPrefix(kindPrefix: string, path: string): string {
  return `${kindPrefix}${escaped(path.toWellFormed())}${END}`;
}

export function indexedValue(value: Scalar): IndexedValue {
  if (typeof value === 'boolean') return { key: `${TYPES.boolean}${value ? 1 : 0}`, exact: true };
  if (typeof value === 'number') return { key: TYPES.number + numberKey(value), exact: true };
  const text = head(value);
  // longer texts are cut to this length, and lone surrogates are replaced
  const exact = text === value && text.length < MAX_INDEXED_TEXT && !text.includes('\ufffd');
  return { key: TYPES.text + escaped(text), exact };
}

/** The bucket of objects that have this value at the path. */
export function bucketOf(prefix: string, value: IndexedValue): string {
  return `${prefix}${value.key}${END}`;
}

/** The bucket of objects that have something other than a scalar at the path: a record, or an empty array. */
export function otherBucket(prefix: string): string {
  return `${prefix}${TYPES.other}${END}`;
}

/** The bucket of objects that have more entries below the path than are indexed. */
export function overflowBucket(prefix: string): string {
  return `${prefix}${TYPES.overflow}${END}`;
}

/** The name of the object's row below its kind's prefix. */
export function rowNameOf(key: string): string {
  return key.slice(key.lastIndexOf(END) + 1);
}

/** All rows of a path except those of the overflow bucket. */
export function wholePath(prefix: string): KeyRange {
  return { gte: prefix, lt: prefix + TYPES.overflow };
}

/** The range of all values in the given order to `value`, and possibly some that merely share its key. */
export function valueRange(prefix: string, order: '<' | '<=' | '>' | '>=', value: string | number): KeyRange {
  const { key, exact } = indexedValue(value);
  const type = prefix + key.charAt(0);
  if (order === '<' || order === '<=') {
    if (typeof value === 'string' && !exact) return { gte: type, lt: textsFrom(prefix, value).lt };
    return { gte: type, lt: prefix + key + (order === '<=' ? PAST_END : '') };
  }
  return { gte: prefix + key + (order === '>' && exact ? PAST_END : ''), lt: prefixEnd(type) };
}

/** The range of all texts that begin with `start`, and possibly some that merely share the characters in the key. */
export function textsFrom(prefix: string, start: string): KeyRange {
  const type = prefix + TYPES.text;
  const from = head(start);
  const end = textEnd(from);
  return { gte: type + escaped(from), lt: end === undefined ? prefixEnd(type) : type + escaped(end) };
}

/** 16 hex digits that sort like the numbers: flips the sign bit, and all other bits of negative numbers. */
function numberKey(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value === 0 ? 0 : value);
  const bits = view.getBigUint64(0);
  const sign = 1n << 63n;
  return (bits & sign ? ~bits & 0xffff_ffff_ffff_ffffn : bits | sign).toString(16).padStart(16, '0');
}

/** Escapes the end marker, and what follows it, in a way that keeps the order of texts. */
function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to be told from the end
  return text.replace(/[\0\x01]/g, (char) => (char === '\0' ? '\x01\x01' : '\x01\x02'));
}

/** The first MAX_INDEXED_TEXT characters. Cuts by code points, not by code units, so that the results sort like the whole texts. */
function head(text: string): string {
  if (text.length <= MAX_INDEXED_TEXT) return text.toWellFormed();
  return [...text.slice(0, 2 * MAX_INDEXED_TEXT)].slice(0, MAX_INDEXED_TEXT).join('').toWellFormed();
}

/** The first text after all texts that begin with this one; undefined if there is none. */
function textEnd(text: string): string | undefined {
  const points = [...text].map((char) => char.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10_ff_ff) continue;
    const next = last + 1 === 0xd800 ? 0xe000 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}
