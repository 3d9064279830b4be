import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { executionPath } from '../../client/executions.ts';
import { addShowFlags } from '../../dispatch/show-flags.ts';
import { addStartFlags, type StartFlags, start } from '../../dispatch/start.ts';
import { EXIT_HELP } from '../../dispatch/summary.ts';

const EXAMPLES = `
Examples:
  dtkd executions retry 1a2b3c --dry-run     the targets that it would take
  dtkd executions retry 1a2b3c

It takes every target that did not succeed: failed, refused, unreachable, skipped, or unknown. Look at the unknown ones
first: the command may have run there.

${EXIT_HELP}`;

export function configure(command: Command, cli: Cli): void {
  addShowFlags(addStartFlags(command.argument('<id>', 'the id, or the first 6 digits of it or more')))
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, flags: StartFlags) => {
      const global = command.optsWithGlobals<GlobalFlags>();
      await start(
        cli,
        flags,
        { path: executionPath(id, 'retry'), body: {} },
        { prefix: 'node', localIsPlain: false, tellsCount: true, global },
      );
    });
}
