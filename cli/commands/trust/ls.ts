import type { Command } from 'commander';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import type { Cli } from '../../cli.ts';
import { outputOption } from '../../output/format.ts';
import type { ListFlags } from '../../selection.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd trust ls                         trusts of this node, and those that its domains make known`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('--no-headers', 'leave the heading out')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      await show(cli, [{ kind: trustKind, names: [] }], { ...command.optsWithGlobals<ListFlags>(), allNamespaces: true });
    });
}
