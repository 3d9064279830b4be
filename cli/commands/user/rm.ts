import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { userTarget } from '../../client/users.ts';

const EXAMPLES = `
Examples:
  dtkd user rm ops                      its token ends at once; one added later under that name inherits nothing`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<names...>')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[]) => {
      const client = await cli.client();
      for (const name of names) {
        try {
          await client.delete(userTarget(name));
          cli.out.print(`Removed ${name}.`);
        } catch (error) {
          cli.failed(error);
        }
      }
    });
}
