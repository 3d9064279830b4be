/** Options as a command sees them: given values read by their declared type, and defaults for the rest. Pure. */
import type { Command } from '../../../../protocol/definitions/commands.ts';
import { givenOptions } from '../../../../protocol/definitions/given-options.ts';
import type { OptionValue } from '../../../../protocol/orders/order.ts';

export type Options = Readonly<Record<string, OptionValue>>;

/** Returns the options of a command for a resource with these properties. Errors: those of givenOptions. */
export function resolveOptions(
  { name, command }: { name: string; command: Command },
  given: Options,
  properties: Readonly<Record<string, unknown>>,
): Record<string, OptionValue> {
  return givenOptions(`the command "${name}"`, command.options ?? {}, given, properties);
}
