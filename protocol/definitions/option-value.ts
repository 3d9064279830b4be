/** Reads values of options by their type, since command lines have only texts. Pure. */
import type { OptionRule } from './commands.ts';

type Value = string | number | boolean;

/** A value, or what is wrong with it: `must be …`. */
export type ReadOption = { value: Value } | { error: string };

const TRUE = new Set(['true', 'yes', 'on']);
const FALSE = new Set(['false', 'no', 'off']);
const NUMBER = /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/;

/** Reads a value by a rule: it must be of the type and one of the allowed values. */
export function readOptionValue(value: unknown, rule: OptionRule): ReadOption {
  const read = byType(value, rule.type ?? 'string');
  if (!('value' in read)) return read;
  const allowed = rule.allowed?.map((one) => byType(one, rule.type ?? 'string'));
  if (allowed !== undefined && !allowed.some((one) => 'value' in one && one.value === read.value)) {
    return { error: `must be one of: ${(rule.allowed ?? []).map(String).join(', ')}` };
  }
  return read;
}

/** Returns the required options that have no value: not given, no default, and no property of the resource. */
export function missingOptions(
  rules: Readonly<Record<string, OptionRule>> | undefined,
  given: Readonly<Record<string, unknown>> = {},
): string[] {
  return Object.entries(rules ?? {})
    .filter(
      ([name, rule]) => rule.required === true && rule.default === undefined && rule.property === undefined && !Object.hasOwn(given, name),
    )
    .map(([name]) => name);
}

function byType(value: unknown, type: NonNullable<OptionRule['type']>): ReadOption {
  switch (type) {
    case 'string':
      return readText(value);
    case 'boolean':
      return readFlag(value);
    case 'number':
    case 'integer':
      return readNumber(value, type);
  }
}

function readText(value: unknown): ReadOption {
  const text = typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.includes('\0') ? { error: 'must not contain a NUL character' } : { value: text };
}

function readFlag(value: unknown): ReadOption {
  if (typeof value === 'boolean') return { value };
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  if (TRUE.has(text)) return { value: true };
  if (FALSE.has(text)) return { value: false };
  return { error: `must be true or false, but is ${shown(value)}` };
}

function readNumber(value: unknown, type: 'number' | 'integer'): ReadOption {
  const number = typeof value === 'number' ? value : typeof value === 'string' && NUMBER.test(value) ? Number(value) : Number.NaN;
  if (type === 'integer' && !Number.isSafeInteger(number)) return { error: `must be a whole number, but is ${shown(value)}` };
  if (!Number.isFinite(number)) return { error: `must be a number, but is ${shown(value)}` };
  return { value: number };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
