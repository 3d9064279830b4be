/** Label and field selectors in the Kubernetes grammar: text in, a pure predicate out. Used by the store, the API and the CLI. */
import { DtkdError } from '../errors.ts';
import { caretUnder } from '../text/caret.ts';

const LABEL_KEY = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
/** Longer selectors are refused: nobody types them. */
const MAX_SELECTOR = 8192;

export type LabelRequirement =
  | { key: string; operator: 'in' | 'notin'; values: readonly string[] }
  | { key: string; operator: 'exists' | 'absent' };

export interface FieldRequirement {
  path: string;
  equal: boolean;
  value: string;
}

function refuse(kind: 'label' | 'field', text: string, at: number, why: string): DtkdError {
  const example = kind === 'label' ? 'tier=front,env!=dev,zone in (a,b),!old' : 'metadata.name=web,status!=Ready';
  return new DtkdError('BAD_REQUEST', `the ${kind} selector cannot be read at character ${at + 1}: ${why}${caretUnder(text, at)}`, {
    next: `Write it like ${example}.`,
    details: { position: at },
  });
}

/** A requirement, and its position in the selector. */
interface Part {
  text: string;
  at: number;
}

function partOf(text: string, start: number, end: number): Part {
  const part = text.slice(start, end);
  return { text: part.trim(), at: start + part.length - part.trimStart().length };
}

/** Splits at commas outside parentheses. */
function requirementsOf(text: string): Part[] {
  const parts: Part[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    else if (char === ',' && depth === 0) {
      parts.push(partOf(text, start, index));
      start = index + 1;
    }
  }
  parts.push(partOf(text, start, text.length));
  return parts;
}

const SET = /^(\S+?)\s+(in|notin)\s*\(([^()]*)\)$/;
const EQUALITY = /^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$/;
const EXISTENCE = /^(!?)\s*([^\s=!()]+)$/;

/** Parses a label selector; empty text selects everything. */
export function parseLabelSelector(text: string): LabelRequirement[] {
  if (text.trim() === '') return [];
  if (text.length > MAX_SELECTOR) throw refuse('label', text, MAX_SELECTOR, `it is longer than ${MAX_SELECTOR} characters`);
  return requirementsOf(text).map((part) => {
    const requirement = parseRequirement(text, part);
    if (!LABEL_KEY.test(requirement.key))
      throw refuse('label', text, placeOf(part, requirement.key), `"${requirement.key}" is not a label key`);
    const wrong = 'values' in requirement ? requirement.values.find((value) => !LABEL_VALUE.test(value)) : undefined;
    if (wrong !== undefined)
      throw refuse(
        'label',
        text,
        placeOf(part, wrong, part.text.indexOf(requirement.key) + requirement.key.length),
        `"${wrong}" is not a label value`,
      );
    return requirement;
  });
}

/** Position of `word` in the selector. */
function placeOf(part: Part, word: string, from = 0): number {
  return part.at + Math.max(0, part.text.indexOf(word, from));
}

function parseRequirement(whole: string, { text: part, at }: Part): LabelRequirement {
  if (part === '') throw refuse('label', whole, at, 'a requirement is empty');
  const set = SET.exec(part);
  if (set !== null) {
    const [, key = '', operator = '', list = ''] = set;
    return { key, operator: operator === 'in' ? 'in' : 'notin', values: list.split(',').map((value) => value.trim()) };
  }
  const equality = EQUALITY.exec(part);
  if (equality !== null) {
    const [, key = '', operator = '', value = ''] = equality;
    return { key, operator: operator === '!=' ? 'notin' : 'in', values: [value] };
  }
  const existence = EXISTENCE.exec(part);
  if (existence !== null) {
    const [, not = '', key = ''] = existence;
    return { key, operator: not === '!' ? 'absent' : 'exists' };
  }
  throw refuse('label', whole, at, `"${part.slice(0, 80)}" is not one of key, !key, key=value, key!=value, key in (a,b), key notin (a,b)`);
}

/** True if labels meet every requirement. As in Kubernetes, `!=` and `notin` are also met by an absent label. */
export function matchesLabels(requirements: readonly LabelRequirement[], labels: Readonly<Record<string, string>> | undefined): boolean {
  return requirements.every((requirement) => {
    const value = labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
    switch (requirement.operator) {
      case 'exists':
        return value !== undefined;
      case 'absent':
        return value === undefined;
      case 'in':
        return value !== undefined && requirement.values.includes(value);
      case 'notin':
        return value === undefined || !requirement.values.includes(value);
      default:
        return false;
    }
  });
}

/** Parses a field selector. `selectable` lists the paths that may be used. A backslash escapes `,`, `=` and itself. */
export function parseFieldSelector(text: string, selectable: readonly string[]): FieldRequirement[] {
  if (text.trim() === '') return [];
  if (text.length > MAX_SELECTOR) throw refuse('field', text, MAX_SELECTOR, `it is longer than ${MAX_SELECTOR} characters`);
  return splitQuoted(text).map(({ text: part, at }) => {
    const match = /^\s*([A-Za-z0-9_.-]+)\s*(==|=|!=)((?:[^\\=]|\\[\\,=])*)$/s.exec(part);
    if (match === null) throw refuse('field', text, at, `"${part.slice(0, 80)}" is not one of path=value, path==value, path!=value`);
    const [, path = '', operator = '', value = ''] = match;
    if (!selectable.includes(path)) {
      throw new DtkdError('BAD_REQUEST', `field "${path.slice(0, 80)}" cannot be selected by${caretUnder(text, at)}`, {
        next: `These can: ${selectable.join(', ')}.`,
        details: { position: at },
      });
    }
    return { path, equal: operator !== '!=', value: value.trim().replace(/\\([\\,=])/g, '$1') };
  });
}

function splitQuoted(text: string): Part[] {
  const parts: Part[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '\\') index += 1;
    else if (text[index] === ',') {
      parts.push(partOf(text, start, index));
      start = index + 1;
    }
  }
  parts.push(partOf(text, start, text.length));
  return parts.filter((part) => part.text !== '');
}

/** Returns the value at a dotted path; undefined if there is none. */
export function valueAt(object: unknown, path: string): unknown {
  let current = object;
  for (const step of path.split('.')) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = Reflect.get(current, step);
  }
  return current;
}

/** True if the object's fields meet every requirement. An absent field counts as empty text; in an array, any element may match. */
export function matchesFields(requirements: readonly FieldRequirement[], object: unknown): boolean {
  return requirements.every(({ path, equal, value }) => {
    const found = valueAt(object, path);
    if (Array.isArray(found)) return found.some((element) => textOf(element) === value) === equal;
    return (textOf(found) === value) === equal;
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
