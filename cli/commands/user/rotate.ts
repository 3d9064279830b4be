import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { newToken, printToken, userTarget } from '../../client/users.ts';
import { textAt } from '../../json.ts';

const EXAMPLES = `
Examples:
  dtkd user rotate ops                  the token before it ends at once; rights stay`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>')
    .option('-q, --quiet', 'print the token only')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { quiet?: boolean }) => {
      const client = await cli.client();
      const user = await client.get(userTarget(name));
      const display = `${textAt(user, 'metadata', 'name') ?? ''}@${textAt(user, 'metadata', 'namespace') ?? ''}`;
      printToken(cli.out, display, await newToken(client, name), flags.quiet === true);
    });
}
