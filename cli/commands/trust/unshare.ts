import type { Command } from 'commander';
import { shareKind } from '../../../protocol/kinds/share.ts';
import type { Cli } from '../../cli.ts';
import { THIS_NODE } from '../../client/api.ts';

const EXAMPLES = `
Examples:
  dtkd trust show research@node0        names of shares
  dtkd trust unshare s-m4k9d`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<shares...>', 'names of shares')
    .option('-n, --namespace <node>', 'node whose objects are shared')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[]) => {
      const namespace = command.optsWithGlobals<{ namespace?: string }>().namespace ?? THIS_NODE;
      const client = await cli.client();
      for (const name of names) {
        try {
          await client.delete({ kind: shareKind, namespace, name });
          cli.out.print(`No longer shared: ${name}.`);
        } catch (error) {
          cli.failed(error);
        }
      }
    });
}
