import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { domainTarget } from '../../client/domains.ts';

const EXAMPLES = `
Examples:
  dtkd domain show mydomain                                     shows who is suspended
  dtkd domain clear mydomain ca777327efb4498ab8c8876a6488701e

A member with two versions of one log entry is suspended everywhere. That happens when
two machines run with one key. Find out which is the right one before you clear it.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'name of the domain')
    .argument('<peer>', 'id of the suspended member')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, peer: string) => {
      const client = await cli.client();
      await client.call('POST', domainTarget(name, 'clear', peer));
      cli.out.print(`The suspension of ${peer} in ${name} is ended.`);
    });
}
