import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { domainTarget } from '../../client/domains.ts';
import { textAt } from '../../json.ts';

const EXAMPLES = `
Examples:
  (umask 077; dtkd domain root export mydomain > root.key)

Whoever has the root key can invite and remove members. Move it to another member with
"dtkd domain root import" there.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'name of the domain')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const client = await cli.client();
      cli.out.print(textAt(await client.call('POST', domainTarget(name, 'root', 'export')), 'rootKey') ?? '');
      cli.out.progress('Whoever has this key can invite and remove members: keep it secret.');
    });
}
