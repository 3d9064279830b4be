import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, nodeWords, readState } from '../../client/services.ts';
import { line } from '../../dispatch/conclude.ts';
import { EXIT } from '../../dispatch/summary.ts';
import { alignColumns } from '../../output/columns.ts';
import { addCarryFlags, type CarryFlags, carryOut } from '../../service/carry-out.ts';
import { oneLine } from '../../service/task-lines.ts';

const EXAMPLES = `
Examples:
  dtkd service drift shop                    run the check command of every resource, and say which are not as they should be

Exit status: 0 if all are as they should be; ${EXIT.failed} if one is not, or its check could not be run; 130 after Ctrl-C;
others if nothing was started.`;

export function configure(command: Command, cli: Cli): void {
  addCarryFlags(command.argument('<service>'), false)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<CarryFlags & GlobalFlags>();
      const service = named(name, flags);
      const { attended } = await carryOut(cli, { service, verb: 'drift', body: {}, flags, global: flags });
      if (attended === undefined || attended.ending === 'running') return;
      const { resources } = await readState(await cli.client(), service);
      const drifted = resources.filter(({ check, state }) => check?.ok === false && state !== 'broken');
      const broken = resources.filter(({ state }) => state === 'broken');
      if (drifted.length + broken.length > 0) cli.exitWith(EXIT.failed);
      if (flags.output === 'json') return;
      if (drifted.length + broken.length === 0) {
        if (attended.task.state === 'succeeded') cli.out.print('All that can be checked is as it should be.');
        return;
      }
      cli.out.lines(
        alignColumns([
          ['DRIFTED', 'NODE', 'WHAT IT SAYS'],
          ...drifted.map((one) => [one.name, one.node, oneLine(one.check?.message ?? '')]),
          ...broken.map((one) => [one.name, one.node, 'not checked: what was last done to it did not succeed']),
        ]),
      );
      cli.out.note(`Bring it back: ${line(flags, 'converge', service.name, ...nodeWords(service))}`);
    });
}
