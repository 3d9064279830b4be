import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { executionPath } from '../../client/executions.ts';
import { executionOf } from '../../dispatch/execution.ts';
import { executionLines } from '../../dispatch/execution-lines.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd executions show 1a2b3c
  dtkd executions show 1a2b3c -o yaml

It asks all nodes that can be reached. "dtkd executions follow" shows the output.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<id>', 'the id, or the first 6 digits of it or more')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, flags: { output?: Format }) => {
      const client = await cli.client();
      const object = await client.daemon('GET', executionPath(id));
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, object, flags.output);
      cli.out.lines(executionLines(executionOf(object), Date.now()));
    });
}
