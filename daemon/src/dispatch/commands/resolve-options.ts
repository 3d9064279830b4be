/** Options of a command as it will see them: what was given, read by type, and defaults for the rest. Pure. */
import type { Command } from '../../../../protocol/definitions/commands.ts';
import { givenOptions } from '../../../../protocol/definitions/given-options.ts';
import type { OptionValue } from '../../../../protocol/orders/order.ts';

export type Options = Readonly<Record<string, OptionValue>>;

/** The options that a command of a resource with these properties gets. Errors: those of givenOptions. */
export function resolveOptions(
  { name, command }: { name: string; command: Command },
  given: Options,
  properties: Readonly<Record<string, unknown>>,
): Record<string, OptionValue> {
  return givenOptions(`the command "${name}"`, command.options ?? {}, given, properties);
}
