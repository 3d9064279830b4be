/** Options of a command as it will see them: what was given, read by type, and defaults for the rest. Pure. */
import type { Command, OptionRule } from '../../../../protocol/commands.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { nearMiss } from '../../../../protocol/near-miss.ts';
import { readOptionValue } from '../../../../protocol/option-value.ts';
import type { OptionValue } from '../../../../protocol/orders/order.ts';

export type Options = Readonly<Record<string, OptionValue>>;

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
    const read = readOptionValue(source.value, rule);
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
