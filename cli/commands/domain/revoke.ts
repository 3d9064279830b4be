import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { domainTarget } from '../../client/domains.ts';

const EXAMPLES = `
Examples:
  dtkd domain invites mydomain               shows the ids
  dtkd domain revoke mydomain 0123456789abcdef

Nodes that have joined already stay; see "dtkd delete dtpeer" to remove one.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'name of the domain')
    .argument('<id>', 'id of the invite')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, id: string) => {
      const client = await cli.client();
      await client.call('DELETE', domainTarget(name, 'invites', id));
      cli.out.print(`Invite ${id} of ${name} is revoked. Members that are away learn of it when they are back.`);
    });
}
