import type { Command } from 'commander';
import { humanDuration } from '../../../protocol/text/age.ts';
import type { Cli } from '../../cli.ts';
import { type DomainInfo, domainNamed, domainTarget, type MemberInfo, parseDomainInfo } from '../../client/domains.ts';
import { alignColumns } from '../../output/columns.ts';
import { escapeControls } from '../../output/escape.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import type { Output } from '../../output/output.ts';

const EXAMPLES = `
Examples:
  dtkd domain show mydomain
  dtkd domain show mydomain -o json`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('[name]', 'name of the domain; default: the only one that this node is in')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (given: string | undefined, flags: { output?: Format }) => {
      const client = await cli.client();
      const name = await domainNamed(client, given);
      const view = await client.call('GET', domainTarget(name, 'members'));
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, view, flags.output);
      cli.out.lines(domainLines(cli.out, parseDomainInfo(view), Date.now()));
    });
}

/** A domain, as lines for people. */
export function domainLines(out: Pick<Output, 'paint'>, domain: DomainInfo, now: number): string[] {
  const root = domain.holdsRoot
    ? `${domain.founder ?? 'this node'} (this node: it may invite and remove)`
    : (domain.founder ?? 'not known here; "dtkd domain show" says so on the node that holds the root key');
  return [
    ...alignColumns([
      ['Name:', domain.name],
      ['Status:', domain.message === undefined ? domain.state : `${domain.state}: ${domain.message}`],
      ['Founder:', root],
      ['Id:', domain.id],
      ...(domain.port === undefined ? [] : [['Port:', `${domain.port} (the one port to open to other members)`]]),
    ]),
    '',
    ...memberLines(out, domain.members, now),
    ...removedLines(domain),
  ];
}

function memberLines(out: Pick<Output, 'paint'>, members: readonly MemberInfo[], now: number): string[] {
  const sorted = [...members].sort((a, b) => Number(b.self) - Number(a.self) || (a.name < b.name ? -1 : 1));
  const table = alignColumns([
    ['MEMBER', 'STATE', 'SINCE', 'PATH', 'ADDRESS', 'ID'],
    ...sorted.map((member) => [
      member.founder ? `${member.name} (founder)` : member.name,
      memberState(member),
      member.self || member.reach === 'idle' || member.since === undefined ? '' : humanDuration(now - member.since),
      member.self ? '' : (member.path ?? ''),
      member.address ?? '',
      member.id,
    ]),
  ]);
  const remarks = sorted.flatMap((member) =>
    member.conditions.map((text) => `${out.paint('yellow', '!')} ${escapeControls(`${member.name}: ${text}`)}`),
  );
  return [...table, ...(remarks.length === 0 ? [] : ['', ...remarks])];
}

/** The state of a member, in one or two words. */
function memberState(member: MemberInfo): string {
  if (member.suspended) return 'suspended';
  if (member.self) return 'this node';
  return member.reach;
}

function removedLines({ removed, members }: DomainInfo): string[] {
  const table = (heading: string, gone: DomainInfo['removed']): string[] => {
    const rows = gone.map(({ id, name, heardBy }) => [name, id, knownTo(heardBy, members)]);
    return rows.length === 0 ? [] : ['', ...alignColumns([[heading, 'ID', 'KNOWN TO'], ...rows])];
  };
  return [
    ...table(
      'REMOVED',
      removed.filter(({ left }) => !left),
    ),
    ...table(
      'LEFT',
      removed.filter(({ left }) => left),
    ),
  ];
}

/** Who knows of a removal. Members known not to know of it are distinguished from those not heard from. */
function knownTo(heardBy: readonly string[], members: readonly MemberInfo[]): string {
  const others = members.filter((member) => !member.self);
  const named = (list: readonly MemberInfo[]): string =>
    list
      .map(({ name }) => name)
      .sort()
      .join(', ');
  const silent = others.filter((member) => !member.heard);
  const ignorant = others.filter((member) => member.heard && !heardBy.includes(member.id));
  const but = ignorant.length === 0 ? '' : ` but ${named(ignorant)}`;
  if (silent.length === 0) return `everybody${but}`;
  const who = silent.length === others.length ? 'this node' : `all others${but}`;
  return `${who}; not heard since this daemon started: ${named(silent)}`;
}
