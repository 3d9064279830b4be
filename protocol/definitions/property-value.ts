/**
 * Checks values of properties against the rules of their types. Pure. Says what a rule expects if a value does not fit; never repeats the
 * value of a secret. The caller supplies the engine that matches patterns.
 */
import { isRecord, jsonEqual } from '../encoding/json.ts';
import { objectName } from '../objects/objects.ts';
import type { PropertyType } from './property-types.ts';
import type { PropertyRule } from './type-rules.ts';

/** Maximum characters of a string value. */
const MAX_TEXT = 65_536;
const MAX_PORT = 65_535;
/** Characters of a value repeated in a message. */
const SHOWN = 80;

/** Maximum characters of a text that a pattern is matched against. */
export const MAX_MATCHED = 4_096;

/** A compiled pattern. */
export interface Pattern {
  /** True if the whole text matches. False for a text longer than MAX_MATCHED. */
  matches(text: string): boolean;
}

/** A rule with its compiled pattern. Without one, the pattern is not checked. */
export interface JudgingRule extends PropertyRule {
  compiled?: Pattern;
}

/** A rule ready to be applied, with its type filled in. */
export interface ReadyRule extends JudgingRule {
  type: PropertyType;
}

const SCALAR: readonly PropertyType[] = ['string', 'integer', 'number', 'boolean', 'port', 'secret'];

const EXPECTED: Readonly<Record<PropertyType, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  port: 'a port (a whole number of 1 to 65535)',
  secret: 'the name of a Secret',
};

/** Returns the type of a value that no rule declares. */
export function typeOfValue(value: unknown): PropertyType {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'number';
  if (Array.isArray(value)) return 'array';
  return isRecord(value) ? 'object' : 'string';
}

export function typeOfRule(rule: PropertyRule): PropertyType {
  return rule.type ?? 'string';
}

/** Returns what is wrong with a rule: the field below the property, and why. */
export function ruleFaults(rule: JudgingRule): { field: string; message: string }[] {
  const faults: { field: string; message: string }[] = [];
  const { allowed, pattern } = rule;
  const type = typeOfRule(rule);
  if (allowed !== undefined && !SCALAR.includes(type)) {
    faults.push({ field: 'allowed', message: `a property of type ${type} cannot have a list of allowed values` });
  } else {
    const { allowed: _allowed, ...plain } = rule;
    for (const [index, value] of (allowed ?? []).entries()) {
      const fault = valueFault(plain, value);
      if (fault !== undefined) faults.push({ field: `allowed[${index}]`, message: fault });
    }
  }
  if (pattern !== undefined && type !== 'string' && type !== 'secret') {
    faults.push({ field: 'pattern', message: `a property of type ${type} cannot have a pattern; only texts can` });
  }
  if (rule.default !== undefined && faults.length === 0) {
    const fault = valueFault(rule, rule.default);
    if (fault !== undefined) faults.push({ field: 'default', message: fault });
  }
  return faults;
}

/**
 * Returns what is wrong with a value, as `expected …, got …`; undefined if it fits. `hidden`: it may be a secret whatever the rule says,
 * so it is not repeated.
 */
export function valueFault(rule: JudgingRule, value: unknown, hidden = false): string | undefined {
  const type = typeOfRule(rule);
  // Somebody may have written a password instead of the name of a Secret: keep it out of logs.
  const got = (): string => (hidden || type === 'secret' ? '' : gotText(value));
  if (!isOfType(type, value)) return `expected ${EXPECTED[type]}${got()}`;
  if (rule.allowed !== undefined && !rule.allowed.some((allowed) => jsonEqual(allowed, value))) {
    return `expected one of ${rule.allowed
      .slice(0, 10)
      .map((allowed) => JSON.stringify(allowed))
      .join(', ')}${rule.allowed.length > 10 ? ', …' : ''}${got()}`;
  }
  if (rule.compiled !== undefined && typeof value === 'string') {
    if (value.length > MAX_MATCHED) return `expected a text of at most ${MAX_MATCHED} characters, to be matched by ${rule.pattern}`;
    if (!rule.compiled.matches(value)) return `expected a text that matches ${rule.pattern}${got()}`;
  }
  return undefined;
}

function isOfType(type: PropertyType, value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string' && value.length <= MAX_TEXT;
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isRecord(value);
    case 'port':
      return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_PORT;
    case 'secret':
      return objectName.safeParse(value).success;
  }
}

function gotText(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return `, got ${text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text}`;
}
