import type { Command } from 'commander';
import { secretKind } from '../../../protocol/kinds/secret.ts';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { THIS_NODE } from '../../client/api.ts';

const EXAMPLES = `
Examples:
  dtkd secret rm db-password            its value is gone; commands that name it are refused`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<names...>')
    .option('-n, --namespace <node>', 'node that has it (default: this node)')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[]) => {
      const { namespace = THIS_NODE } = command.optsWithGlobals<GlobalFlags>();
      const client = await cli.client();
      for (const name of names) {
        try {
          await client.delete({ kind: secretKind, namespace, name });
          cli.out.print(`Removed ${name}.`);
        } catch (error) {
          cli.failed(error);
        }
      }
    });
}
