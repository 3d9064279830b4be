import type { Command } from 'commander';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import type { Cli } from '../../cli.ts';
import { type Format, outputOption } from '../../output/format.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd app ls
  dtkd app ls -o wide       with domains and messages`;

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { output?: Format }) => {
      await show(cli, [{ kind: dtAppKind, names: [] }], { ...flags, headers: true });
    });
}
