import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { domainTarget } from '../../client/domains.ts';

const EXAMPLES = `
Examples:
  dtkd domain free-name mydomain node1

The name of a removed member stays reserved, so that nobody takes its place unnoticed,
until the founder frees it.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'name of the domain')
    .argument('<node>', 'name of the removed member')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, node: string) => {
      const client = await cli.client();
      await client.call('POST', domainTarget(name, 'names', node, 'free'));
      cli.out.print(`The name ${node} can be used again in ${name}.`);
    });
}
