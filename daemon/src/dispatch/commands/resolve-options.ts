/** Options of a command as it will see them: what was given, read by type, and defaults for the rest. Pure. */
import type { Command, OptionRule } from '../../../../protocol/commands.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { nearMiss } from '../../../../protocol/near-miss.ts';
import type { OptionValue } from '../../../../protocol/orders/order.ts';

export type Options = Readonly<Record<string, OptionValue>>;

const TRUE = new Set(['true', 'yes', 'on']);
const FALSE = new Set(['false', 'no', 'off']);
const NUMBER = /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/;

interface Cause {
  option: string;
  message: string;
}

/**
 * The options that a command gets: given ones first, else the value of the rule's `property`, else its default. An option that has none of these, and is not required, is
 * absent. Errors: INVALID with all that is wrong (`details.causes`).
 */
export function resolveOptions(
  command: { name: string; command: Command },
  given: Options,
  properties: Readonly<Record<string, unknown>>,
): Record<string, OptionValue> {
  const rules = command.command.options ?? {};
  const causes: Cause[] = [];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) causes.push({ option: name, message: unknownOption(name, Object.keys(rules)) });
  }
  const resolved: [string, OptionValue][] = [];
  for (const [name, rule] of Object.entries(rules)) {
    const source = sourceOf(name, rule, given, properties);
    if (source === undefined) {
      if (rule.required === true) causes.push({ option: name, message: missing(name, rule) });
      continue;
    }
    const read = readValue(source.value, rule);
    if ('value' in read) resolved.push([name, read.value]);
    else causes.push({ option: name, message: `${source.of} ${read.error}` });
  }
  if (causes.length > 0) throw refusal(command.name, rules, causes);
  return Object.fromEntries(resolved);
}

function sourceOf(
  name: string,
  rule: OptionRule,
  given: Options,
  properties: Readonly<Record<string, unknown>>,
): { value: unknown; of: string } | undefined {
  if (Object.hasOwn(given, name) && given[name] !== undefined) return { value: given[name], of: `the option "${name}"` };
  if (rule.property !== undefined && Object.hasOwn(properties, rule.property)) {
    const value = properties[rule.property];
    if (value !== undefined && value !== null) {
      return { value, of: `the option "${name}", whose default is the property "${rule.property}" of the resource,` };
    }
  }
  return rule.default === undefined ? undefined : { value: rule.default, of: `the default of the option "${name}"` };
}

/** Reads a value as the rule says; texts are read by type, since command lines have nothing else. */
function readValue(value: unknown, rule: OptionRule): { value: OptionValue } | { error: string } {
  const read = byType(value, rule.type ?? 'string');
  if (!('value' in read)) return read;
  const allowed = rule.allowed?.map((one) => byType(one, rule.type ?? 'string'));
  if (allowed !== undefined && !allowed.some((one) => 'value' in one && one.value === read.value)) {
    return { error: `must be one of: ${(rule.allowed ?? []).map(String).join(', ')}` };
  }
  return read;
}

function byType(value: unknown, type: NonNullable<OptionRule['type']>): { value: OptionValue } | { error: string } {
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

function readText(value: unknown): { value: OptionValue } | { error: string } {
  const text = typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.includes('\0') ? { error: 'must not hold a NUL character' } : { value: text };
}

function readFlag(value: unknown): { value: OptionValue } | { error: string } {
  if (typeof value === 'boolean') return { value };
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  if (TRUE.has(text)) return { value: true };
  if (FALSE.has(text)) return { value: false };
  return { error: `must be true or false, but is ${shown(value)}` };
}

function readNumber(value: unknown, type: 'number' | 'integer'): { value: OptionValue } | { error: string } {
  const number = typeof value === 'number' ? value : typeof value === 'string' && NUMBER.test(value) ? Number(value) : Number.NaN;
  if (type === 'integer' && !Number.isSafeInteger(number)) return { error: `must be a whole number, but is ${shown(value)}` };
  if (!Number.isFinite(number)) return { error: `must be a number, but is ${shown(value)}` };
  return { value: number };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function unknownOption(name: string, there: readonly string[]): string {
  const near = nearMiss(name, there);
  return `there is no option "${name}"${near === undefined ? '' : ` (did you mean "${near}"?)`}`;
}

function missing(name: string, { type = 'string', description }: OptionRule): string {
  return `the option "${name}" (${type}) is missing${description === undefined ? '' : `: ${description}`}`;
}

function refusal(command: string, rules: Readonly<Record<string, OptionRule>>, causes: readonly Cause[]): DtkdError {
  const names = Object.entries(rules).map(
    ([name, { type = 'string', required }]) => `${name} (${type}${required === true ? ', required' : ''})`,
  );
  return new DtkdError('INVALID', `the command "${command}" cannot run so: ${causes.map(({ message }) => message).join('; ')}`, {
    next: names.length === 0 ? `"${command}" takes no options.` : `Options of "${command}": ${names.join(', ')}.`,
    details: { command, causes },
  });
}
