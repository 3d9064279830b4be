/** Options of the workflows of a service: pure. */
import { z } from 'zod';
import type { ServiceWorkflow } from '../../../../../../protocol/assembly.ts';
import { DtkdError } from '../../../../../../protocol/errors.ts';
import { readOptionValue } from '../../../../../../protocol/option-value.ts';
import { interpolate } from '../interpolation.ts';
import { isKnown, known } from '../outcome.ts';

type OptionValue = string | number | boolean;
export type WorkflowOptions = Readonly<Record<string, OptionValue>>;

const optionValue = z.union([z.string(), z.number(), z.boolean()]);

/** Options as a workflow has them: given ones read by their rules, defaults for the rest. Errors: INVALID with all that is wrong. */
export function workflowOptions(name: string, { options: rules = {} }: ServiceWorkflow, given: WorkflowOptions): WorkflowOptions {
  const faults: string[] = [];
  for (const option of Object.keys(given)) if (!Object.hasOwn(rules, option)) faults.push(`there is no option "${option}"`);
  const read: [string, OptionValue][] = [];
  for (const [option, rule] of Object.entries(rules)) {
    const value = Object.hasOwn(given, option) ? given[option] : rule.default;
    if (value === undefined) {
      if (rule.required === true) faults.push(`the option "${option}" is missing`);
      continue;
    }
    const result = readOptionValue(value, rule);
    if ('value' in result) read.push([option, result.value]);
    else faults.push(`the option "${option}" ${result.error}`);
  }
  if (faults.length === 0) return Object.fromEntries(read);
  const names = Object.keys(rules);
  throw new DtkdError('INVALID', `the workflow "${name}" cannot run so: ${faults.join('; ')}`, {
    next: names.length === 0 ? 'It takes no options.' : `Its options are: ${names.join(', ')}.`,
    details: { workflow: name, causes: faults },
  });
}

/** A value with `${options.NAME}` filled in; an option that has no value is an empty text. */
export function fill(value: OptionValue, options: WorkflowOptions): OptionValue {
  if (typeof value !== 'string' || !value.includes('${')) return value;
  const outcome = interpolate(value, {
    resolve: (reference) => {
      const name = reference.replace(/^options\./, '');
      return known(Object.hasOwn(options, name) ? options[name] : '');
    },
    // what is wrong with references was told when the service was expanded
    fault: () => undefined,
  });
  const filled = isKnown(outcome) ? optionValue.safeParse(outcome.value) : undefined;
  return filled?.data ?? '';
}
