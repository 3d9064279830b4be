import type { Command } from 'commander';
import { moduleKind } from '../../../protocol/kinds/module.ts';
import type { Cli } from '../../cli.ts';
import { outputOption } from '../../output/format.ts';
import type { ListFlags } from '../../selection.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd module ls
  dtkd module ls -A                     of every node, as far as you have rights there`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('-n, --namespace <node>', 'modules of this node')
    .option('-A, --all-namespaces', 'modules of all nodes')
    .option('--no-headers', 'leave the heading out')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(() => show(cli, [{ kind: moduleKind, names: [] }], command.optsWithGlobals<ListFlags>()));
}
