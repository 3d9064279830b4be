/** Options of a service's workflows. Pure. */
import { z } from 'zod';
import type { ServiceWorkflow } from '../../../../../../protocol/definitions/assembly.ts';
import { givenOptions } from '../../../../../../protocol/definitions/given-options.ts';
import { interpolate } from '../interpolation.ts';
import { isKnown, known } from '../outcome.ts';

type OptionValue = string | number | boolean;
export type WorkflowOptions = Readonly<Record<string, OptionValue>>;

const optionValue = z.union([z.string(), z.number(), z.boolean()]);

/** The options of a workflow: given ones parsed by their rules, defaults for the rest. Errors: those of givenOptions. */
export function workflowOptions(name: string, { options: rules = {} }: ServiceWorkflow, given: WorkflowOptions): WorkflowOptions {
  return givenOptions(`the workflow "${name}"`, rules, given, {});
}

/** Fills `${options.NAME}` into a value. An option without a value becomes an empty text. */
export function fill(value: OptionValue, options: WorkflowOptions): OptionValue {
  if (typeof value !== 'string' || !value.includes('${')) return value;
  const outcome = interpolate(value, {
    resolve: (reference) => {
      const name = reference.replace(/^options\./, '');
      return known(Object.hasOwn(options, name) ? options[name] : '');
    },
    // faults in references were reported when the service was expanded
    fault: () => undefined,
  });
  const filled = isKnown(outcome) ? optionValue.safeParse(outcome.value) : undefined;
  return filled?.data ?? '';
}
