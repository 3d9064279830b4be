import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { domainTarget } from '../../client/domains.ts';
import { readSecret } from '../../input/secret.ts';

const EXAMPLES = `
Examples:
  dtkd domain root import mydomain @root.key
  dtkd domain root import mydomain - < root.key`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'name of the domain')
    .argument('<key>', 'the root key, - to read it from standard input, or @FILE')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, argument: string) => {
      const rootKey = await readSecret(argument, 'root key');
      const client = await cli.client();
      await client.call('POST', domainTarget(name, 'root', 'import'), { rootKey });
      cli.out.print(`This node holds the root key of ${name} now: it may invite and remove members.`);
    });
}
