import type { Command } from 'commander';
import { secretKind } from '../../../protocol/kinds/secret.ts';
import type { Cli } from '../../cli.ts';
import { outputOption } from '../../output/format.ts';
import type { ListFlags } from '../../selection.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd secret ls                        names, lengths and when they were set; never their values`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('-n, --namespace <node>', 'secrets of this node')
    .option('--no-headers', 'no heading')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      await show(cli, [{ kind: secretKind, names: [] }], command.optsWithGlobals<ListFlags>());
    });
}
