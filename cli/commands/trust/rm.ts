import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { trustTarget } from '../../client/trusts.ts';

const EXAMPLES = `
Examples:
  dtkd trust rm research                what was shared into it is closed to its members at once`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<trusts...>', 'TRUST, or TRUST@NODE')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[]) => {
      const client = await cli.client();
      for (const name of names) {
        try {
          await client.delete(trustTarget(name));
          cli.out.print(`Removed ${name}.`);
        } catch (error) {
          cli.failed(error);
        }
      }
    });
}
