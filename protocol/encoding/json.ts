/** Reads untrusted JSON: limited in depth, and without `__proto__`, the one key that can change what an object is. */
import { DtkdError } from '../errors.ts';

/** Deeper documents are refused: no kind needs more, and code that walks values may use recursion. */
const MAX_JSON_DEPTH = 64;
/** Maximum characters of a field's path in an error. */
const MAX_PATH = 200;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Parses UTF-8 JSON. Errors: BAD_REQUEST. */
export function parseJson(bytes: Uint8Array): unknown {
  return parseJsonText(textOf(bytes));
}

/** Decodes a body to text. Errors: BAD_REQUEST if it is not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw notJson('it is not UTF-8 text', cause);
  }
}

/** Parses JSON. Errors: BAD_REQUEST. */
export function parseJsonText(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw notJson(cause instanceof Error ? cause.message.slice(0, 200) : '', cause);
  }
  checkJson(value);
  return value;
}

function notJson(why: string, cause: unknown): DtkdError {
  return new DtkdError('BAD_REQUEST', `the body is not JSON: ${why}`, { next: 'Send one JSON document.', cause });
}

/** Throws BAD_REQUEST if a value is nested too deeply or has a key `__proto__`, naming that field. */
export function checkJson(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= MAX_JSON_DEPTH) throw new DtkdError('BAD_REQUEST', `the document is nested more than ${MAX_JSON_DEPTH} levels deep`);
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue;
      if (!Array.isArray(item) && Object.hasOwn(item, '__proto__')) {
        throw new DtkdError('BAD_REQUEST', `a field must not be named "__proto__": ${pathOf(value, item)}`, {
          next: 'Give it another name.',
        });
      }
      for (const inner of Object.values(item)) if (typeof inner === 'object' && inner !== null) next.push(inner);
    }
    level = next;
  }
}

/** Returns the path of the key `__proto__` in an object within a value, such as `spec.properties.__proto__`. */
function pathOf(value: unknown, wanted: object): string {
  const found = pathTo(value, wanted, 0) ?? [];
  return [...found, '__proto__'].join('.').slice(-MAX_PATH);
}

function pathTo(value: unknown, wanted: object, depth: number): string[] | undefined {
  if (value === wanted) return [];
  if (typeof value !== 'object' || value === null || depth >= MAX_JSON_DEPTH) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const rest = pathTo(inner, wanted, depth + 1);
    if (rest !== undefined) return [key, ...rest];
  }
  return undefined;
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
