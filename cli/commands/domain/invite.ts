import { type Command, InvalidArgumentError } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { humanDuration } from '../../../protocol/text/age.ts';
import type { Cli } from '../../cli.ts';
import type { ApiClient } from '../../client/api.ts';
import { domainNamed, domainTarget, type InviteInfo, parseDomainInfo, parseInvite } from '../../client/domains.ts';
import { parseDuration } from '../../input/duration.ts';
import { parseLimit } from '../../input/limit.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import type { Output } from '../../output/output.ts';

export interface InviteFlags {
  uses?: number;
  expires?: number;
  replace?: string;
}

const EXAMPLES = `
Examples:
  dtkd domain invite mydomain                           one node, within 24 hours
  dtkd domain invite mydomain --uses 5 --expires 7d
  dtkd domain invite mydomain --replace node1           lets a rebuilt machine take the name node1 again
  dtkd domain invite mydomain -q > token.txt            the token alone`;

export function configure(command: Command, cli: Cli): void {
  command.argument('[name]', 'name of the domain; default: the only one that this node is in');
  inviteOptions(command)
    .option('--replace <node>', 'let the joiner take over the name of a lost machine')
    .option('-q, --quiet', 'print the token only')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (given: string | undefined, flags: InviteFlags & { output?: Format; quiet?: boolean }) => {
      const client = await cli.client();
      const name = await domainNamed(client, given);
      const answer = await client.call('POST', domainTarget(name, 'invites'), inviteRequest(flags));
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, answer, flags.output);
      const invite = parseInvite(answer);
      if (flags.replace !== undefined) await warnOfUnknown(cli, client, name, flags.replace);
      cli.out.print(flags.quiet === true ? (invite.token ?? '') : joinLine(cli.out, invite));
    });
}

/** Warns if no known member has the name. One that this node has not heard of may have it, but more often it is a typing error. */
async function warnOfUnknown(cli: Cli, client: ApiClient, domain: string, name: string): Promise<void> {
  const { members, removed } = parseDomainInfo(await client.call('GET', domainTarget(domain, 'members')));
  if ([...members, ...removed].some((one) => one.name === name)) return;
  cli.out.note(`warning: no member of ${domain} is called "${name}", and none that was removed; see "dtkd domain show ${domain}"`);
}

/** Adds `--uses` and `--expires`. */
export function inviteOptions(command: Command): Command {
  return command
    .option('--uses <number>', 'how many nodes may join with the token (default: 1)', parseLimit)
    .option('--expires <duration>', 'how long the token is valid (default: 24h)', durationOption);
}

export function inviteRequest({ uses, expires, replace }: InviteFlags): Record<string, unknown> {
  return {
    ...(uses === undefined ? {} : { uses }),
    ...(expires === undefined ? {} : { expires }),
    ...(replace === undefined ? {} : { replace }),
  };
}

/** Instructions for using an invite. */
export function joinLine(out: Output, invite: InviteInfo): string {
  const who = invite.uses === 1 ? 'one node' : `${invite.uses} nodes`;
  return [
    `With this token ${who} can join within ${humanDuration(toMinutes(invite.expires - Date.now()))}:`,
    '',
    `  ${invite.token ?? ''}`,
    '',
    'On the other machine, with an address at which it reaches this one (or any other member):',
    '',
    `  ${out.paint('bold', `dtkd domain join ADDRESS TOKEN${invite.replace === undefined ? '' : ` --replace ${invite.replace}`}`)}`,
  ].join('\n');
}

/** Rounds up, so that a new invite for 24 hours shows 24 hours. */
function toMinutes(ms: number): number {
  return Math.ceil(ms / 60_000) * 60_000;
}

function durationOption(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw error instanceof DtkdError ? new InvalidArgumentError(`${error.message}. ${error.next ?? ''}`) : error;
  }
}
