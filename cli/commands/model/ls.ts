import type { Command } from 'commander';
import { modelKind } from '../../../protocol/kinds/model.ts';
import type { Cli } from '../../cli.ts';
import { outputOption } from '../../output/format.ts';
import type { ListFlags } from '../../selection.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd model ls
  dtkd model ls -A                      of every node, as far as you have rights there`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('-n, --namespace <node>', 'models of this node')
    .option('-A, --all-namespaces', 'models of all nodes')
    .option('--no-headers', 'no heading')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(() => show(cli, [{ kind: modelKind, names: [] }], command.optsWithGlobals<ListFlags>()));
}
