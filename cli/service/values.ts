/** Parses the arguments of `set`: PATH=VALUE, with the value in the type of that path. Pure. */
import { readOptionValue } from '../../protocol/definitions/option-value.ts';
import type { PropertyType } from '../../protocol/definitions/property-types.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { splitPair } from '../dispatch/option-words.ts';
import { isRecord, parseJson } from '../json.ts';

/** Where the value of a setting comes from: the command line, a file, or standard input. */
export type ValueSource = { text: string } | { file: string } | 'input';

export interface Setting {
  path: string;
  source: ValueSource;
}

/**
 * Parses `web.port=8081`, `web.page=@index.html`, `db.password=-`; `@@` escapes a leading `@`. Each path may occur once. Errors:
 * BAD_REQUEST.
 */
export function parseSettings(pairs: readonly string[]): Setting[] {
  const settings = pairs.map((pair): Setting => {
    const [path, text] = splitPair(pair, 'NAME=VALUE');
    return { path, source: sourceOf(text) };
  });
  const paths = settings.map(({ path }) => path);
  const twice = paths.find((path, at) => paths.indexOf(path) !== at);
  if (twice !== undefined) throw new DtkdError('BAD_REQUEST', `${twice.slice(0, 120)} is given twice`);
  return settings;
}

function sourceOf(text: string): ValueSource {
  if (text === '-') return 'input';
  if (text.startsWith('@@')) return { text: text.slice(1) };
  return text.startsWith('@') && text.length > 1 ? { file: text.slice(1) } : { text };
}

/**
 * Converts a text to the type. A text that does not fit stays text, for the daemon to refuse, since only the daemon knows the rules.
 * Undefined type: guesses from the text. Errors: BAD_REQUEST for a list or map that is not well-formed JSON.
 */
export function typedValue(path: string, text: string, type: PropertyType | undefined): unknown {
  // a reference gets its type with its value
  if (/^\$\{[^}]*\}$/.test(text)) return text;
  switch (type) {
    case 'string':
    case 'secret':
      return text;
    case 'boolean':
      return optionValue(text, 'boolean');
    case 'integer':
    case 'port':
      return optionValue(text, 'integer');
    case 'number':
      return optionValue(text, 'number');
    case 'array':
      return text.startsWith('[') ? jsonOf(path, text) : text === '' ? [] : text.split(',');
    case 'object':
      return text.startsWith('{') ? jsonOf(path, text) : text;
    case undefined:
      return guessed(path, text);
  }
}

function optionValue(text: string, type: 'boolean' | 'integer' | 'number'): unknown {
  const read = readOptionValue(text, { type });
  return 'value' in read ? read.value : text;
}

/** Guesses a value. Only text that a number would be written as becomes a number: `1.20` and `007` stay text. */
function guessed(path: string, text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text !== '' && String(Number(text)) === text && Number.isFinite(Number(text))) return Number(text);
  if (text.startsWith('[') || text.startsWith('{')) return jsonOf(path, text);
  return text;
}

function jsonOf(path: string, text: string): unknown {
  const value = parseJson(text);
  if (Array.isArray(value) || isRecord(value)) return value;
  throw new DtkdError('BAD_REQUEST', `the value of ${path.slice(0, 120)} begins like JSON, but is not valid JSON`, {
    next: text.startsWith('[') ? `Write it like '["a", "b"]'.` : `Write it like '{"key": "value"}'.`,
  });
}
