import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { executionPath, requireId } from '../../client/executions.ts';
import { attend } from '../../dispatch/attend.ts';
import { line } from '../../dispatch/conclude.ts';
import { executionOf, shortId, shownOf } from '../../dispatch/execution.ts';
import { addShowFlags, type ShowFlags } from '../../dispatch/show-flags.ts';
import { EXIT_HELP } from '../../dispatch/summary.ts';
import { parseLimit } from '../../input/limit.ts';

const EXAMPLES = `
Examples:
  dtkd executions resume 1a2b3c              the next batch, and so on; shows what comes from then on
  dtkd executions resume 1a2b3c --detach
  dtkd executions resume 1a2b3c --pause 2    only if it is still in its second pause

${EXIT_HELP}`;

export function configure(command: Command, cli: Cli): void {
  addShowFlags(command.argument('<id>', 'the id, or the first 6 digits of it or more'))
    .option('--pause <number>', 'the pause to end; a later one stays (default: the one that it is in now)', parseLimit)
    .option('--detach', 'do not follow it')
    .addHelpText('after', EXAMPLES)
    .action(async (text: string, flags: ShowFlags & { detach?: boolean; pause?: number }) => {
      const id = requireId(text);
      const client = await cli.client();
      // an execution may pause again at any time: only the pause that was there when this was typed is ended
      const pause = flags.pause ?? executionOf(await client.daemon('GET', executionPath(id))).pauses ?? 0;
      const shown = shownOf(executionOf(await client.daemon('POST', executionPath(id, 'resume'), { pause })));
      const global = command.optsWithGlobals<GlobalFlags>();
      if (flags.detach === true) return cli.out.print(`It goes on. Follow it: ${line(global, 'executions', 'follow', shortId(id))}`);
      await attend(cli, { id, shown, show: flags, prefix: 'node', localIsPlain: false, tellsCount: true, waitForQueued: false, global });
    });
}
