import type { Command } from 'commander';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import type { Cli } from '../../cli.ts';
import { namesAtNodes } from '../../client/names-at-nodes.ts';
import { addListFlag, type ListNames } from '../../input/list-flag.ts';
import { outputOption } from '../../output/format.ts';
import type { ListFlags } from '../../selection.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd trust ls                         trusts of this node, and those that its domains make known`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('--no-headers', 'no heading')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES);
  addListFlag(command).action(async ({ list }: ListNames) => {
    if (list !== undefined) return cli.out.lines(await namesAtNodes(await cli.client(), trustKind));
    await show(cli, [{ kind: trustKind, names: [] }], { ...command.optsWithGlobals<ListFlags>(), allNamespaces: true });
  });
}
