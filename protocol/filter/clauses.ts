/** The grammar of filters: keys with lists of values. Pure. Does not know what the values mean. */
import { DtkdError } from '../errors.ts';
import { caretUnder } from '../text/caret.ts';

/** A key with its values, and its position in the text. */
export interface Clause {
  key: string;
  /** False if the key was omitted: `web1` for `hostname=web1`. */
  written: boolean;
  at: number;
  values: readonly Piece[];
}

/** A part of a text, without surrounding spaces, and its position. */
export interface Piece {
  text: string;
  at: number;
}

const DEFAULT_KEY = 'hostname';

/** After a comma, this begins another key; anything else continues the list of values. */
const KEY = /^([A-Za-z_][A-Za-z0-9_./-]*)\s*=/;

/** Parses `tags=web,db,osfamily=unix` into keys with their values. Errors: BAD_REQUEST, with a caret under the place. */
export function clausesOf(text: string): Clause[] {
  const clauses: { key: string; written: boolean; at: number; values: Piece[] }[] = [];
  for (const piece of split(text, ',')) {
    const key = KEY.exec(piece.text);
    let value = piece;
    if (key?.[1] !== undefined) {
      value = trimmed(piece.text.slice(key[0].length), piece.at + key[0].length);
      clauses.push({ key: key[1], written: true, at: piece.at, values: [] });
    } else if (clauses.length === 0) {
      clauses.push({ key: DEFAULT_KEY, written: false, at: piece.at, values: [] });
    }
    if (value.text === '') throw emptyValue(text, value.at, key?.[1]);
    clauses.at(-1)?.values.push(value);
  }
  return clauses;
}

/** Splits at separators outside brackets that have no backslash before them, so that `web{1,2}` and `web[1,2]` stay whole. */
export function split(text: string, separator: ',' | '+', offset = 0): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  let depth = 0;
  let inClass = false;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '\\') index += 1;
    else if (inClass) inClass = char !== ']';
    else if (char === '[') inClass = true;
    else if (char === '(' || char === '{') depth += 1;
    else if (char === ')' || char === '}') depth = Math.max(0, depth - 1);
    else if (char === separator && depth === 0) {
      pieces.push(trimmed(text.slice(from, index), offset + from));
      from = index + 1;
    }
  }
  pieces.push(trimmed(text.slice(from), offset + from));
  return pieces;
}

function trimmed(text: string, at: number): Piece {
  const start = text.trimStart();
  return { text: start.trimEnd(), at: at + text.length - start.length };
}

function emptyValue(text: string, at: number, key: string | undefined): DtkdError {
  const what = key === undefined ? 'a value is missing in a filter' : `"${key}" has no value in a filter`;
  return filterFault(what, text, at, 'Write KEY=VALUE, several values with commas between them; .* is any value.');
}

/** Returns the BAD_REQUEST for a filter, showing the place. */
export function filterFault(message: string, text: string, at: number, next: string, details: Record<string, unknown> = {}): DtkdError {
  return new DtkdError('BAD_REQUEST', `${message}${caretUnder(text, at)}`, { next, details: { filter: text, at, ...details } });
}
