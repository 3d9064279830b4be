import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { requireId } from '../../client/executions.ts';
import { attend } from '../../dispatch/attend.ts';
import { addShowFlags, type ShowFlags } from '../../dispatch/show-flags.ts';
import { EXIT_HELP } from '../../dispatch/summary.ts';

const EXAMPLES = `
Examples:
  dtkd executions follow 1a2b3c              all output from the beginning, then what comes, until it has ended
  dtkd executions follow 1a2b3c --group      of each target together
  dtkd executions follow 1a2b3c -o json      one line of JSON for each line of output

It can be followed from every node whose user may read it, also when the node that started it is gone.

${EXIT_HELP}`;

export function configure(command: Command, cli: Cli): void {
  addShowFlags(command.argument('<id>', 'the id, or the first 6 digits of it or more'))
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, flags: ShowFlags) => {
      const global = command.optsWithGlobals<GlobalFlags>();
      await attend(cli, {
        id: requireId(id),
        show: flags,
        prefix: 'node',
        localIsPlain: false,
        tellsCount: true,
        waitForQueued: true,
        global,
      });
    });
}
