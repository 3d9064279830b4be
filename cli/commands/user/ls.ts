import type { Command } from 'commander';
import { userKind } from '../../../protocol/kinds/user.ts';
import type { Cli } from '../../cli.ts';
import { namesAtNodes } from '../../client/names-at-nodes.ts';
import { addListFlag, type ListNames } from '../../input/list-flag.ts';
import { outputOption } from '../../output/format.ts';
import type { ListFlags } from '../../selection.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd user ls                          users of this node, and those that its domains make known
  dtkd user ls -n node1                 users of node1`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('-n, --namespace <node>', 'users of this node')
    .option('--no-headers', 'no heading')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES);
  addListFlag(command).action(async ({ list }: ListNames) => {
    if (list !== undefined) return cli.out.lines(await namesAtNodes(await cli.client(), userKind));
    const flags = command.optsWithGlobals<ListFlags>();
    await show(cli, [{ kind: userKind, names: [] }], { ...flags, allNamespaces: flags.namespace === undefined });
  });
}
