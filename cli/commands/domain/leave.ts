import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { domainTarget } from '../../client/domains.ts';

const EXAMPLES = `
Examples:
  dtkd domain leave mydomain
  dtkd domain leave mydomain --force     also the root key goes: export it before, or keep the recovery key

Leaving is final for this node's key: to come back it joins again with a new invite.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'name of the domain')
    .option('--force', 'leave even if this node holds the root key')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { force?: boolean }) => {
      const client = await cli.client();
      cli.out.progress(`Leaving ${name} ...`);
      await client.call('POST', domainTarget(name, 'leave'), { force: flags.force === true });
      cli.out.print(`Left ${name}. What was shared through it is gone from here.`);
    });
}
