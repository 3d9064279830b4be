/** Checks a command on the planning node, and reports which code it may run. */
import type { CodeRef } from '../../../../protocol/definitions/code.ts';
import type { CommandContext, PlanContext, ResolvedCommand } from './commands.types.ts';
import { prepareCommand } from './prepare.ts';
import type { Options } from './resolve-options.ts';

/** Placeholder: only the node that runs the command knows the directory. */
const NO_DIRECTORY = '/';

/**
 * Returns all code that a command may run on a node: its own, and that of its steps, their handlers and local dispatches. Sorted by name,
 * each once. Fails for whatever would make the command fail before it runs.
 * Errors: as prepareCommand.
 */
export async function codeOf(context: PlanContext, command: string | ResolvedCommand, given: Options): Promise<CodeRef[]> {
  const { resource, node } = context;
  const here: CommandContext = {
    resource,
    node,
    chainOf: (type) => context.chainOf(type),
    related: (one, over) => context.related(one, over),
    directoryOf: () => NO_DIRECTORY,
  };
  return (await prepareCommand(here, command, given)).code;
}
