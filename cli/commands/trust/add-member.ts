import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { changeMembers, memberCount } from '../../client/trusts.ts';

const EXAMPLES = `
Examples:
  dtkd trust add-member research ann@node1 bob@node2`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<trust>', 'TRUST, or TRUST@NODE')
    .argument('<users...>', 'USER@NODE of who is to belong to it')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, users: string[]) => {
      const trust = await changeMembers(await cli.client(), name, (members) => [...new Set([...members, ...users])]);
      cli.out.print(memberCount(trust));
    });
}
