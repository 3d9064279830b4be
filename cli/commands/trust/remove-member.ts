import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { changeMembers, memberCount } from '../../client/trusts.ts';

const EXAMPLES = `
Examples:
  dtkd trust remove-member research ann@node1      what was shared into it is closed to ann at once`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<trust>', 'TRUST, or TRUST@NODE')
    .argument('<users...>', 'USER@NODE of who is no longer to belong to it')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, users: string[]) => {
      const trust = await changeMembers(await cli.client(), name, (members) => remaining(members, users));
      cli.out.print(memberCount(trust));
    });
}

function remaining(members: readonly string[], users: readonly string[]): string[] {
  const unknown = users.filter((user) => !members.includes(user));
  if (unknown.length === 0) return members.filter((member) => !users.includes(member));
  throw new DtkdError('NOT_FOUND', `${unknown.join(', ')} does not belong to it`, { next: `Members: ${members.join(', ') || 'none'}.` });
}
