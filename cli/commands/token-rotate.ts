import { join } from 'node:path';
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { textAt } from '../json.ts';

const EXAMPLES = `
Examples:
  dtkd token rotate              the new token is in the data directory
  dtkd token rotate --print      and is printed

The old token is refused from then on.`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('--print', 'print the new token')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { print?: boolean }) => {
      const client = await cli.client();
      const token = textAt(await client.daemon('POST', 'token', {}), 'token') ?? '';
      const { dataDir } = client.https.connection;
      if (flags.print === true || dataDir === undefined) cli.out.print(token);
      else cli.out.print(`The operator token is replaced; the new one is in ${join(dataDir, 'admin.token')}.`);
    });
}
