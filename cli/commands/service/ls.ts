import type { Command } from 'commander';
import { serviceInstanceKind } from '../../../protocol/kinds/service-instance.ts';
import type { Cli } from '../../cli.ts';
import { outputOption } from '../../output/format.ts';
import type { ListFlags } from '../../selection.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd service ls
  dtkd service ls -A -o wide            of every node, as far as you have rights there
  dtkd service ls --where 'target=prod and phase!=Ready'`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('-n, --namespace <node>', 'services of this node')
    .option('-A, --all-namespaces', 'services of all nodes')
    .option('--where <expression>', "only those of which this is true, e.g. 'module=acme/web'")
    .option('--no-headers', 'leave the heading out')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(() => show(cli, [{ kind: serviceInstanceKind, names: [] }], command.optsWithGlobals<ListFlags>()));
}
