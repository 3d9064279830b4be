/** Reads JSON from outside: bounded in depth, and without the one key that can change what an object is. */
import { DtkdError } from './errors.ts';

/** Deeper documents are refused: no kind needs more, and code that walks values may then recurse. */
const MAX_JSON_DEPTH = 64;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Parses UTF-8 JSON. Errors: BAD_REQUEST. */
export function parseJson(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? cause.message.slice(0, 200) : 'it is not UTF-8 text';
    throw new DtkdError('BAD_REQUEST', `the body is not JSON: ${why}`, { next: 'Send one JSON document.', cause });
  }
  checkJson(value);
  return value;
}

/** Throws BAD_REQUEST if a value is nested too deeply or has a key `__proto__`. */
export function checkJson(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= MAX_JSON_DEPTH) throw new DtkdError('BAD_REQUEST', `the body is nested more than ${MAX_JSON_DEPTH} levels deep`);
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue;
      if (!Array.isArray(item) && Object.hasOwn(item, '__proto__')) {
        throw new DtkdError('BAD_REQUEST', 'a field must not be named "__proto__"');
      }
      for (const inner of Object.values(item)) if (typeof inner === 'object' && inner !== null) next.push(inner);
    }
    level = next;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Deep equality of JSON values; the order of keys does not matter. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => jsonEqual(item, b[index]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && jsonEqual(a[key], b[key]));
}
