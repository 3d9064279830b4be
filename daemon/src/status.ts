import { join } from 'node:path';
import { maintenanceOf } from '../../protocol/kinds/node.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import type { Config } from './config.ts';
import type { DomainView, Mesh } from './mesh/mesh.types.ts';
import { directoryBytes } from './process/directory.ts';

interface HostPort {
  host: string;
  port: number;
}

interface Facts {
  config: Config;
  name: string;
  version: string;
  apiUrl: string;
  ingress: HostPort;
  mesh: Pick<Mesh, 'domains' | 'counters'>;
}

interface StatusFacts extends Facts {
  startedAt: number;
  /** What the daemon needs but lacks. */
  failures(): Promise<string[]>;
  /** Problems with this machine's clock, in sentences. */
  clock(): string[];
  audit: { conditions(): string[]; counters(): Record<string, number> };
  /** `nodeObject`: this node's own Node object. */
  dispatch: { counts(): Record<string, number>; nodeObject(): Promise<ApiObject | undefined> };
  apps: { summary(): { own: number; copies: number; byStatus: Record<string, number> }; counters(): Record<string, number> };
}

/** The contents of `dtkd status`: a plain JSON value. */
export async function daemonStatus(facts: StatusFacts): Promise<object> {
  const { config, mesh, apps, audit } = facts;
  const domains = mesh.domains();
  return {
    node: facts.name,
    version: facts.version,
    pid: process.pid,
    startedAt: new Date(facts.startedAt).toISOString(),
    dataDir: config.data,
    api: facts.apiUrl,
    mesh: domains.map((domain) => ({ domain: domain.name, port: domain.port })),
    ingress: hostPort(facts.ingress),
    suffix: config.suffix,
    announce: config.announce,
    domains: domains.map((domain) => ({
      name: domain.name,
      state: domain.state,
      message: domain.message,
      founder: domain.founderName,
      holdsRoot: domain.holdsRoot,
      port: domain.port,
      members: domain.peers.length,
      connected: domain.peers.filter((peer) => !peer.self && peer.connected).length,
      peers: domain.peers.map((peer) => ({
        name: peer.displayName,
        self: peer.self,
        connected: peer.self || peer.connected,
        reach: peer.reach,
        path: peer.path,
        address: peer.address,
        since: peer.since === undefined ? undefined : new Date(peer.since).toISOString(),
      })),
    })),
    apps: apps.summary(),
    commands: facts.dispatch.counts(),
    conditions: [
      ...maintained(await facts.dispatch.nodeObject()),
      ...(await facts.failures()),
      ...facts.clock(),
      ...audit.conditions(),
      ...conditions(domains),
    ],
    counters: { ...mesh.counters(), ...apps.counters(), ...audit.counters() },
    storage: { bytes: await directoryBytes(join(config.data, 'db')) },
    memory: { rss: process.memoryUsage.rss() },
  };
}

/** Reports maintenance, which lasts until it is ended explicitly: nothing else shows why commands of others do nothing here. */
export function maintained(node: ApiObject | undefined): string[] {
  const maintenance = maintenanceOf(node);
  if (maintenance === undefined) return [];
  const { since, reason } = maintenance;
  const when = since === undefined ? '' : ` since ${since}`;
  const why = reason === undefined ? '' : ` (${reason})`;
  return [`in maintenance${when}${why}: commands of others skip this node until "dtkd node maintain off"`];
}

/** What is wrong with the domains, most important first. Empty when all is well. */
export function conditions(domains: readonly DomainView[]): string[] {
  return domains.flatMap((domain) => [...conditionOf(domain), ...(domain.state === 'Removed' ? [] : peerConditions(domain))]);
}

function peerConditions(domain: DomainView): string[] {
  return [
    ...domain.peers.flatMap((peer) => peer.conditions.map((condition) => `${domain.name}: ${peer.displayName}: ${condition}`)),
    ...domain.peers
      .filter((peer) => peer.reach === 'away')
      .map(
        (peer) =>
          `${domain.name}: ${peer.displayName} is away${peer.since === undefined ? '' : ` since ${new Date(peer.since).toISOString()}`}`,
      ),
  ];
}

/** The condition of a domain. A Ready domain may have a message, too: it works, with the restriction that the message describes. */
function conditionOf({ name, state, message }: DomainView): string[] {
  if (state === 'Ready') return message === undefined ? [] : [`${name}: ${message}`];
  return [`${name} is ${state}${message === undefined ? '' : `: ${message}`}`];
}

/** The text that `dtkd up` prints once it runs. `joining`: names of domains that it was told to join but is not yet a member of. */
export function summaryText({ config, name, version, apiUrl, ingress, mesh, joining }: Facts & { joining: readonly string[] }): string {
  const domains = mesh.domains();
  const shown = [...domains.map((domain) => `${domain.name} (${domain.state})`), ...joining.map((domain) => `${domain} (Joining)`)];
  const ports = domains.flatMap((domain) => (domain.port === undefined ? [] : [`${domain.port} (${domain.name})`]));
  const lines = [
    `dtkd ${version} runs as ${name}`,
    `  data      ${config.data}`,
    `  API       ${apiUrl}`,
    `  apps      http://${hostPort(ingress)}  (URIs end in .${name}.${config.suffix})`,
    ports.length > 0
      ? `  mesh      port ${ports.join(', ')}: open ${ports.length === 1 ? 'this one port' : 'these ports'} to the other sites (TCP)`
      : `  mesh      no port open: this node is in no domain yet`,
    ...(shown.length > 0
      ? [`  domains   ${shown.join(', ')}`]
      : ['', `  next      dtkd domain create NAME, or dtkd domain join ADDR TOKEN; then ${openPort(config.mesh.port)}`]),
  ];
  return lines.join('\n');
}

/** Port 0 means any free port when the first domain is opened. */
function openPort(port: number): string {
  return port === 0 ? '"dtkd status" shows the TCP port to open to the other sites' : `open TCP port ${port} to the other sites`;
}

function hostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
