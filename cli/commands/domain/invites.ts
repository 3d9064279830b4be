import type { Command } from 'commander';
import { humanDuration } from '../../../protocol/text/age.ts';
import type { Cli } from '../../cli.ts';
import { domainNamed, domainTarget, inviteState, parseInvite } from '../../client/domains.ts';
import { listAt } from '../../json.ts';
import { alignColumns } from '../../output/columns.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd domain invites mydomain
  dtkd domain invites mydomain -o wide      with the tokens made on this node`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('[name]', 'name of the domain; default: the only one that this node is in')
    .addOption(outputOption('json', 'yaml', 'wide'))
    .addHelpText('after', EXAMPLES)
    .action(async (given: string | undefined, flags: { output?: Format }) => {
      const client = await cli.client();
      const name = await domainNamed(client, given);
      const answer = await client.call('GET', domainTarget(name, 'invites'));
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, answer, flags.output);
      const invites = listAt(answer, 'items').map(parseInvite);
      if (invites.length === 0) return cli.out.note(`There are no invites for ${name}. Make one with: dtkd domain invite ${name}`);
      const now = Date.now();
      const wide = flags.output === 'wide';
      cli.out.lines(
        alignColumns([
          ['ID', 'STATE', 'USED', 'EXPIRES', 'REPLACE', ...(wide ? ['TOKEN'] : [])],
          ...invites.map((invite) => [
            invite.id,
            inviteState(invite, now),
            `${invite.used}/${invite.uses}`,
            invite.expires > now ? `in ${humanDuration(invite.expires - now)}` : `${humanDuration(now - invite.expires)} ago`,
            invite.replace ?? '<none>',
            ...(wide ? [invite.token ?? '<none>'] : []),
          ]),
        ]),
      );
    });
}
