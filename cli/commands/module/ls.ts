import type { Command } from 'commander';
import { moduleKind } from '../../../protocol/kinds/module.ts';
import { releaseKind } from '../../../protocol/kinds/release.ts';
import type { Cli } from '../../cli.ts';
import { outputOption } from '../../output/format.ts';
import type { ListFlags } from '../../selection.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd module ls                        every version; the active one has its types among those of the node
  dtkd module ls --released             what members of the domains publish, and who (NAMESPACE)
  dtkd module ls -A                     of every node, as far as you have rights there`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('-n, --namespace <node>', 'modules of this node')
    .option('-A, --all-namespaces', 'modules of all nodes')
    .option('--released', 'what can be fetched, from all publishers')
    .option('--no-headers', 'no heading')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(() => {
      const { released, ...flags } = command.optsWithGlobals<ListFlags & { released?: boolean }>();
      // with -n, only the releases of that node
      if (released === true)
        return show(cli, [{ kind: releaseKind, names: [] }], { ...flags, allNamespaces: flags.namespace === undefined });
      return show(cli, [{ kind: moduleKind, names: [] }], flags);
    });
}
