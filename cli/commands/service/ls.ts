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

const NONE = 'No services. Stage one with "dtkd stage MODULE:ASSEMBLY"; "dtkd get assemblies" lists what can be staged.';

export function configure(command: Command, cli: Cli): void {
  command
    .option('-n, --namespace <node>', 'services of this node')
    .option('-A, --all-namespaces', 'services of all nodes')
    .option('--where <expression>', "only those that match, e.g. 'module=acme/web'")
    .option('--no-headers', 'no heading')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(() => {
      const flags = command.optsWithGlobals<ListFlags>();
      const all = flags.where === undefined && flags.namespace === undefined && flags.allNamespaces !== true;
      return show(cli, [{ kind: serviceInstanceKind, names: [] }], flags, all ? NONE : undefined);
    });
}
