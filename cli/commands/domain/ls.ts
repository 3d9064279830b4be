import type { Command } from 'commander';
import { dtDomainKind } from '../../../protocol/kinds/dtdomain.ts';
import type { Cli } from '../../cli.ts';
import { type Format, outputOption } from '../../output/format.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd domain ls
  dtkd domain ls -o wide`;

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { output?: Format }) => {
      await show(cli, [{ kind: dtDomainKind, names: [] }], { ...flags, headers: true });
    });
}
