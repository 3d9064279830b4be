/** Reads the options given to a command or workflow by its rules, or reports everything that is wrong with them. Pure. */
import { DtkdError } from '../errors.ts';
import { nearMiss } from '../text/near-miss.ts';
import type { OptionRule } from './commands.ts';
import { readOptionValue } from './option-value.ts';

type Value = string | number | boolean;
type Rules = Readonly<Record<string, OptionRule>>;

interface Cause {
  option: string;
  message: string;
}

/**
 * Returns the given options; for others, the value of the rule's `property`, else its default. An option without any of these is absent
 * if it is not required. `title` names the receiver, for people. `properties` are the resource's; if undefined, they are not known, and
 * an option that a property would fill is absent.
 * Errors: INVALID with everything that is wrong (`details.causes`).
 */
export function givenOptions(
  title: string,
  rules: Rules,
  given: Readonly<Record<string, unknown>>,
  properties: Readonly<Record<string, unknown>> | undefined,
): Record<string, Value> {
  const causes: Cause[] = [];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) causes.push({ option: name, message: unknownOption(name, Object.keys(rules)) });
  }
  const resolved: [string, Value][] = [];
  for (const [name, rule] of Object.entries(rules)) {
    const source = sourceOf(name, rule, given, properties ?? {});
    if (source === undefined) {
      const mayFollow = properties === undefined && rule.property !== undefined;
      if (rule.required === true && !mayFollow) causes.push({ option: name, message: missing(name, rule) });
      continue;
    }
    const read = readOptionValue(source.value, rule);
    if ('value' in read) resolved.push([name, read.value]);
    else causes.push({ option: name, message: `${source.of} ${read.error}` });
  }
  if (causes.length > 0) throw refusal(title, rules, causes);
  return Object.fromEntries(resolved);
}

function sourceOf(
  name: string,
  rule: OptionRule,
  given: Readonly<Record<string, unknown>>,
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

function refusal(title: string, rules: Rules, causes: readonly Cause[]): DtkdError {
  const names = Object.entries(rules).map(
    ([name, { type = 'string', required }]) => `${name} (${type}${required === true ? ', required' : ''})`,
  );
  return new DtkdError('INVALID', `${title} cannot run with these options: ${causes.map(({ message }) => message).join('; ')}`, {
    next: names.length === 0 ? 'It takes no options.' : `Its options are: ${names.join(', ')}.`,
    details: { causes },
  });
}
