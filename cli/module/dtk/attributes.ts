/** Converts attributes of DTK's components to properties. */
import type { PropertyType } from '../../../protocol/definitions/property-types.ts';
import type { PropertyRule } from '../../../protocol/definitions/type-rules.ts';
import { isRecord } from '../../json.ts';
import { propertyNameOf } from './names.ts';
import { type Part, shown } from './part.ts';

const TYPES: ReadonlyMap<string, PropertyType> = new Map([
  ['string', 'string'],
  ['integer', 'integer'],
  ['boolean', 'boolean'],
  ['hash', 'object'],
  ['array', 'array'],
  ['port', 'port'],
]);
/** Keys of an attribute that have a counterpart here. `value` is the name of the default in newer files. */
const KNOWN = new Set(['type', 'default', 'value', 'required', 'description', 'dynamic', 'hidden', 'encrypted', 'options', 'legal_values']);
/** The most values that a rule can list. */
const MAX_ALLOWED = 256;
const MAX_DESCRIPTION = 4_096;

export type Rules = Record<string, PropertyRule>;

/** Converts the attributes of a component or an assembly. */
export function readAttributes(part: Part, owner: string, wanted: (name: string) => boolean = () => true): Rules {
  const rules: Rules = {};
  for (const [name, attribute] of part.entries(`the attributes of ${owner}`)) {
    if (!wanted(name)) continue;
    const property = propertyNameOf(name);
    if (property === undefined)
      attribute.note(`attribute ${shown(name)} of ${owner} was left out: this is not a valid name for a property`);
    else rules[property] = readAttribute(attribute, `${name} of ${owner}`);
  }
  return rules;
}

function readAttribute(part: Part, what: string): PropertyRule {
  // an assembly may give only the value
  if (!isRecord(part.value)) return part.isThere ? { type: typeOfValue(part.value), default: part.value } : {};
  for (const [key, said] of part.entries(what))
    if (!KNOWN.has(key)) said.note(`${key} of attribute ${what} has no counterpart and was left out`);
  const encrypted = part.get('encrypted').flag(`encrypted of ${what}`);
  const type = encrypted ? 'secret' : readType(part, what);
  const rule: PropertyRule = { type };
  const description = readDescription(part);
  if (description !== undefined) rule.description = description;
  if (part.get('required').flag(`required of ${what}`)) rule.required = true;
  if (part.get('dynamic').flag(`dynamic of ${what}`)) rule.dynamic = true;
  if (part.get('hidden').flag(`hidden of ${what}`) && !encrypted)
    part.get('hidden').note(`attribute ${what} is hidden in DTK; dtkd shows its value`);
  const given = part.get('default').isThere ? part.get('default') : part.get('value');
  if (given.isThere && encrypted)
    given.note(`the default of ${what} is a secret and was not kept: the property has the name of a Secret of the node`);
  else if (given.isThere) {
    const value = valueFor(type, given.value);
    if (value === undefined) given.note(`the default of ${what} was left out: ${shown(given.value)} is not of the type ${type}`);
    else rule.default = value;
  }
  const allowed = readAllowed(part, type, what);
  if (allowed !== undefined) rule.allowed = allowed;
  if (rule.default !== undefined && allowed !== undefined && !allowed.some((one) => one === rule.default)) {
    given.note(`the default of ${what} was left out: it is not one of the allowed values`);
    delete rule.default;
  }
  return rule;
}

/** A description, cut to the maximum length. */
export function readDescription(part: Part): string | undefined {
  const text = part.get('description').text('a description')?.trim();
  if (text === undefined || text === '') return undefined;
  if (text.length > MAX_DESCRIPTION) part.get('description').note(`a description was cut to ${MAX_DESCRIPTION} characters`);
  return text.slice(0, MAX_DESCRIPTION);
}

function readType(part: Part, what: string): PropertyType {
  const said = part.get('type');
  const name = said.text(`the type of ${what}`)?.trim().toLowerCase();
  if (name === undefined) return 'string';
  const type = TYPES.get(name);
  if (type !== undefined) return type;
  if (name === 'json') {
    const example = part.get('default').value;
    if (Array.isArray(example)) return 'array';
    if (example === undefined || example === null || isRecord(example)) return 'object';
  }
  said.note(`the type ${shown(name)} of ${what} has no counterpart: it becomes a string`);
  return 'string';
}

/** The allowed values, if all of them can be listed. */
export function readAllowed(part: Part, type: PropertyType, what: string): (string | number | boolean)[] | undefined {
  const said = part.get('options').isThere ? part.get('options') : part.get('legal_values');
  if (!said.isThere) return undefined;
  const values = said.items().flatMap((item) => {
    const value = valueFor(type, item.value);
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [value] : [];
  });
  if (values.length === said.items().length && values.length > 0 && values.length <= MAX_ALLOWED && type !== 'secret') return values;
  said.note(`the values that ${what} may have were left out: they cannot be listed here`);
  return undefined;
}

/** Converts a value to the type; undefined if that is impossible. YAML distinguishes `8080` and `"8080"`, but DTK does not. */
export function valueFor(type: PropertyType, value: unknown): unknown {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
    case 'integer':
      return wholeNumber(value);
    case 'port': {
      const port = wholeNumber(value);
      return port !== undefined && port >= 1 && port <= 65_535 ? port : undefined;
    }
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined;
    case 'array':
      return Array.isArray(value) ? value : undefined;
    case 'object':
      return isRecord(value) ? value : undefined;
    case 'secret':
      return undefined;
  }
}

function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined;
}

function typeOfValue(value: unknown): PropertyType {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'number';
  return Array.isArray(value) ? 'array' : 'string';
}
