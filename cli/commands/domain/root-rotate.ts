import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { domainTarget } from '../../client/domains.ts';
import { readSecret } from '../../input/secret.ts';
import { textAt } from '../../json.ts';

const EXAMPLES = `
Examples:
  dtkd domain root rotate mydomain @recovery.key

Any member can do this, for instance when the founder's machine is lost. Members stay,
all invites become void, and the old root key and recovery key no longer work.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'name of the domain')
    .argument('<recovery-key>', 'the recovery key, - to read it from standard input, or @FILE')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, argument: string) => {
      const recoveryKey = await readSecret(argument, 'recovery key');
      const client = await cli.client();
      const answer = await client.call('POST', domainTarget(name, 'root', 'rotate'), { recoveryKey });
      const { out } = cli;
      out.print(`${out.paint('bold', name)} has a new root key, and this node holds it. Earlier invites are void.`);
      out.print(
        `\n${out.paint('bold', 'New recovery key')} (shown only now; the old one is used up):\n\n  ${textAt(answer, 'recoveryKey') ?? ''}\n`,
      );
      out.print('Write it down and keep it away from this machine.');
    });
}
