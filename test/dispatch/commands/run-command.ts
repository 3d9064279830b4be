import type {
  CommandContext,
  CommandResult,
  ResolvedCommand,
  RunLimits,
  ScriptRunner,
} from '../../../daemon/src/dispatch/commands/commands.types.ts';
import { runPrepared } from '../../../daemon/src/dispatch/commands/engine.ts';
import { prepareCommand } from '../../../daemon/src/dispatch/commands/prepare.ts';
import type { Options } from '../../../daemon/src/dispatch/commands/resolve-options.ts';

/** Prepares a command of the context's resource and runs it. Errors: what prepareCommand finds; nothing was run then. */
export async function runCommand(
  context: CommandContext,
  command: string | ResolvedCommand,
  given: Options,
  runner: ScriptRunner,
  limits: RunLimits,
): Promise<CommandResult> {
  return runPrepared(await prepareCommand(context, command, given), runner, limits);
}
