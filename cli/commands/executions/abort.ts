import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { executionPath } from '../../client/executions.ts';
import { executionOf, shortId } from '../../dispatch/execution.ts';
import { countsLine, EXIT } from '../../dispatch/summary.ts';
import { listAt, textAt } from '../../json.ts';
import { alignColumns } from '../../output/columns.ts';
import { outputOption, toJson } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd executions abort 1a2b3c

Ends the processes of the command on every target, and takes back orders that wait. It can be aborted from every node
whose user may execute it. Exit status ${EXIT.unknown}: a target, or a holder of its order, could not be told.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<id>', 'the id, or the first 6 digits of it or more')
    .addOption(outputOption('json'))
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, flags: { output?: string }) => {
      const client = await cli.client();
      const before = executionOf(await client.daemon('GET', executionPath(id)));
      const answer = await client.daemon('POST', executionPath(id, 'abort'), {});
      const told = listAt(answer, 'told');
      const notTold = listAt(answer, 'notTold');
      if (flags.output === 'json') cli.out.print(toJson(answer));
      else {
        const which = shortId(textAt(answer, 'id') ?? id);
        const nodes = told.map((one) => textAt(one, 'node') ?? '');
        if (nodes.length > 0) cli.out.print(`Aborted ${which}: ${nodes.join(', ')}`);
        else if (before.phase === 'Finished') cli.out.print(`${which} has ended already: ${countsLine(before)}. Nothing was aborted.`);
        else if (notTold.length > 0) cli.out.print(`Aborted ${which}: no target starts any more`);
        else cli.out.print(`Aborted ${which}: no target was running, and none starts any more`);
        if (notTold.length > 0) {
          const rows = notTold.map((one) => [`  ${textAt(one, 'node') ?? ''}`, textAt(one, 'reason') ?? '']);
          cli.out.note(['These could not be told, and it may go on there:', ...alignColumns(rows)].join('\n'));
        }
      }
      if (notTold.length > 0) cli.exitWith(EXIT.unknown);
    });
}
