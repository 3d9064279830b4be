import { ageOf, humanDuration } from '../../protocol/text/age.ts';
import type { AppInfo } from '../client/apps.ts';
import type { DomainInfo, MemberInfo } from '../client/domains.ts';
import { isRecord, listAt, numberAt, textAt, textsAt } from '../json.ts';
import { alignColumns } from './columns.ts';
import { escapeControls } from './escape.ts';
import type { Output } from './output.ts';
import { formatSize } from './size.ts';

export interface StatusFacts {
  /** The daemon's own status. */
  status: unknown;
  domains: readonly DomainInfo[];
  apps: readonly AppInfo[];
}

/** What `dtkd status` prints: problems first, then where things listen, then domains and their members, then apps. Pure but for colours. */
export function statusLines(out: Pick<Output, 'paint'>, facts: StatusFacts, now: number): string[] {
  const { status, domains, apps } = facts;
  const title = `${textAt(status, 'node') ?? 'This node'} runs dtkd ${textAt(status, 'version') ?? ''}`.trim();
  const problems = problemsOf(facts);
  return [
    `${out.paint('bold', escapeControls(title))}, up ${ageOf(textAt(status, 'startedAt'), now)}`,
    ...(problems.length === 0 ? [] : ['', ...problems.map((text) => `${out.paint('red', '!')} ${escapeControls(text)}`)]),
    '',
    ...listenLines(status),
    '',
    ...domainLines(out, domains, now),
    '',
    ...appLines(apps),
    ...commandLines(status),
  ];
}

/** Everything that needs attention: the daemon's own list, then domains and apps that it does not cover. */
function problemsOf({ status, domains, apps }: StatusFacts): string[] {
  const known = textsAt(status, 'conditions');
  return [
    ...known,
    ...domains
      .filter((domain) => domain.state !== 'Ready' && !known.some((text) => text.startsWith(`${domain.name} `)))
      .map((domain) => `${domain.name} is ${domain.state}${because(domain.message)}`),
    ...apps
      .filter((app) => !app.isCopy && app.status !== undefined && app.status !== 'Ready')
      .map((app) => `app ${app.app} is ${app.status}${because(app.message)}`),
  ];
}

/** Counts of the commands that run, wait or are held here; empty if all are zero. */
function commandLines(status: unknown): string[] {
  const counts = isRecord(status) ? status['commands'] : undefined;
  const parts = [
    [numberAt(counts, 'running'), 'running here'],
    [numberAt(counts, 'waiting'), 'waiting for their turn'],
    [numberAt(counts, 'executions'), 'started here and not ended'],
    [numberAt(counts, 'held'), 'held for nodes that are away'],
  ].filter(([count]) => count !== undefined && count !== 0);
  return parts.length === 0 ? [] : ['', `commands: ${parts.map(([count, what]) => `${count} ${what}`).join(', ')}`];
}

function because(message: string | undefined): string {
  return message === undefined ? '' : `: ${message}`;
}

function listenLines(status: unknown): string[] {
  const ports = listAt(status, 'mesh')
    .filter((entry) => numberAt(entry, 'port') !== undefined)
    .map((entry) => `${numberAt(entry, 'port')} (${textAt(entry, 'domain')})`);
  const announce = textsAt(status, 'announce');
  const ingress = textAt(status, 'ingress');
  const suffix = textAt(status, 'suffix');
  const node = textAt(status, 'node') ?? 'NODE';
  const port = /:(?!80$)\d+$/.exec(ingress ?? '')?.[0] ?? '';
  const bytes = numberAt(status, 'storage', 'bytes');
  const memory = numberAt(status, 'memory', 'rss');
  return alignColumns([
    ['API', `${textAt(status, 'api') ?? '<unknown>'} (this machine's clients)`],
    [
      'Mesh',
      ports.length === 0 ? 'closed: opens when this node is in a domain' : `port ${ports.join(', ')}: the one to open to other sites`,
    ],
    ...(announce.length === 0 ? [] : [['Announced', announce.join(', ')]]),
    ['Ingress', `${ingress ?? '<none>'}${suffix === undefined ? '' : `, apps as http://ID.${node}.${suffix}${port}`}`],
    ['Data', [textAt(status, 'dataDir') ?? '', bytes === undefined ? '' : formatSize(bytes)].filter(Boolean).join(', ')],
    ['Process', [`pid ${numberAt(status, 'pid') ?? '?'}`, memory === undefined ? '' : formatSize(memory)].filter(Boolean).join(', ')],
  ]);
}

function domainLines(out: Pick<Output, 'paint'>, domains: readonly DomainInfo[], now: number): string[] {
  if (domains.length === 0)
    return ['In no domain. Found one with "dtkd domain create NAME", or join one with "dtkd domain join ADDRESS TOKEN".'];
  return domains.flatMap((domain) => {
    const others = domain.members.filter((member) => !member.self);
    const connected = others.filter((member) => member.connected).length;
    const idle = others.filter((member) => member.reach === 'idle').length;
    const rest = idle === 0 ? '' : ` (${idle} more when needed)`;
    const count = others.length === 0 ? 'no other members yet' : `${connected} of ${others.length} other members connected${rest}`;
    const role = domain.holdsRoot ? ', founded here' : '';
    const heading = `${out.paint('bold', `Domain ${escapeControls(domain.name)}`)}: ${domain.state}, ${count}${role}`;
    return [heading, ...alignColumns(sorted(others).map((member) => [`  ${member.name}`, ...stateOf(member, now)]))];
  });
}

const ORDER: readonly MemberInfo['reach'][] = ['away', 'connected', 'idle'];

/** Members that are away first, then by name. */
function sorted(members: readonly MemberInfo[]): MemberInfo[] {
  return [...members].sort((a, b) => ORDER.indexOf(a.reach) - ORDER.indexOf(b.reach) || (a.name < b.name ? -1 : 1));
}

function stateOf(member: MemberInfo, now: number): string[] {
  const since = member.since === undefined ? '' : ` for ${humanDuration(now - member.since)}`;
  if (member.suspended) return ['suspended', member.address ?? ''];
  if (member.reach === 'idle') return ['reached when needed', member.address ?? ''];
  if (!member.connected) return [`away${since}`, member.address === undefined ? '' : `last at ${member.address}`];
  return [`connected${since}`, [member.path, member.address].filter(Boolean).join(' ')];
}

function appLines(apps: readonly AppInfo[]): string[] {
  if (apps.length === 0) return ['No apps. Share one with "dtkd app expose NAME --to HOST:PORT".'];
  const own = apps.filter((app) => !app.isCopy).length;
  const away = apps.filter((app) => app.isCopy && app.status !== 'Ready').length;
  const parts = [`${own} of this node`, `${apps.length - own} of others${away === 0 ? '' : ` (${away} not reachable now)`}`];
  return [`Apps: ${parts.join(', ')}. See "dtkd app ls".`];
}
