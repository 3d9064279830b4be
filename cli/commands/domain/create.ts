import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import type { ApiClient } from '../../client/api.ts';
import { domainTarget, inviteState, parseInvite } from '../../client/domains.ts';
import { listAt, recordAt, textAt } from '../../json.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { type InviteFlags, inviteOptions, inviteRequest, joinLine } from './invite.ts';

const EXAMPLES = `
Examples:
  dtkd domain create mydomain
  dtkd domain create mydomain --uses 5 --expires 7d     the first invite admits five nodes

The recovery key is shown once and kept nowhere. It alone can replace the root key
if this machine is lost: write it down and keep it away from this machine.`;

export function configure(command: Command, cli: Cli): void {
  command.argument('<name>', 'name of the domain: a DNS label');
  inviteOptions(command)
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: InviteFlags & { output?: Format }) => {
      const body = inviteRequest(flags);
      const client = await cli.client();
      const created = await client.call('POST', domainTarget(name, 'create'), {});
      const recoveryKey = textAt(created, 'recoveryKey') ?? '';
      let invite: unknown;
      try {
        invite = Object.keys(body).length === 0 ? await firstInvite(client, name) : undefined;
        invite ??= await client.call('POST', domainTarget(name, 'invites'), body);
      } catch (error) {
        cli.failed(error);
      }
      if (flags.output === 'json' || flags.output === 'yaml') {
        await printValue(cli.out, { domain: recordAt(created, 'domain'), recoveryKey, invite }, flags.output);
        return;
      }
      const { out } = cli;
      out.print(`Domain ${out.paint('bold', name)} is founded; this node is its founder.`);
      out.print(`\n${out.paint('bold', 'Recovery key')} (shown only now):\n\n  ${recoveryKey}\n`);
      out.print('Write it down and keep it away from this machine: it alone can replace the root key if this machine is lost.');
      if (invite !== undefined) out.print(`\n${joinLine(out, parseInvite(invite))}`);
    });
}

/** The invite that was made together with a new domain. */
async function firstInvite(client: ApiClient, name: string): Promise<unknown> {
  const invites = listAt(await client.call('GET', domainTarget(name, 'invites')), 'items');
  return invites.find((one) => {
    const invite = parseInvite(one);
    return invite.token !== undefined && inviteState(invite, Date.now()) === 'usable';
  });
}
