/** Options of the workflows of a service: pure. */
import { z } from 'zod';
import type { ServiceWorkflow } from '../../../../../../protocol/definitions/assembly.ts';
import { givenOptions } from '../../../../../../protocol/definitions/given-options.ts';
import { interpolate } from '../interpolation.ts';
import { isKnown, known } from '../outcome.ts';

type OptionValue = string | number | boolean;
export type WorkflowOptions = Readonly<Record<string, OptionValue>>;

const optionValue = z.union([z.string(), z.number(), z.boolean()]);

/** Options as a workflow has them: given ones read by their rules, defaults for the rest. Errors: those of givenOptions. */
export function workflowOptions(name: string, { options: rules = {} }: ServiceWorkflow, given: WorkflowOptions): WorkflowOptions {
  return givenOptions(`the workflow "${name}"`, rules, given, {});
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
