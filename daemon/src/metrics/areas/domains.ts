/** Metrics of domains and their members, as this node sees them. */
import { type Area, area, type Family, type Sample } from '../family.ts';

export interface MemberNumbers {
  displayName: string;
  self: boolean;
  connected: boolean;
  reach: 'connected' | 'idle' | 'away';
  path: 'self' | 'direct' | 'relayed' | undefined;
  suspended: boolean;
  conditions: readonly string[];
}

export interface DomainNumbers {
  name: string;
  state: string;
  peers: readonly MemberNumbers[];
}

const STATES = ['Ready', 'Joining', 'Failed', 'Removed', 'Suspended', 'Leaving'] as const;
const REACHES = ['connected', 'idle', 'away'] as const;

type Domains = readonly DomainNumbers[];

export function domainsArea(read: () => Domains): Area {
  return area<Domains>('domains', read, [
    {
      name: 'dtkd_domain_state',
      help: '1 for the present state of a domain at this node, 0 for all others',
      type: 'gauge',
      labels: ['domain', 'state'],
      samples: (domains) =>
        domains.flatMap(({ name, state }) => STATES.map((one) => ({ labels: { domain: name, state: one }, value: one === state ? 1 : 0 }))),
    },
    {
      name: 'dtkd_domain_members',
      help: 'Members of a domain, this node included',
      type: 'gauge',
      labels: ['domain'],
      samples: (domains) => domains.map(({ name, peers }) => ({ labels: { domain: name }, value: peers.length })),
    },
    {
      name: 'dtkd_domain_peers',
      help: 'Other members of a domain: connected, idle (not connected, and not found away), or away',
      type: 'gauge',
      labels: ['domain', 'reach'],
      samples: (domains) =>
        domains.flatMap(({ name, peers }) =>
          REACHES.map((reach) => ({
            labels: { domain: name, reach },
            value: peers.filter((peer) => !peer.self && peer.reach === reach).length,
          })),
        ),
    },
    ofPeers('dtkd_peer_connected', '1 while there is a connection with a member', (peer) => peer.connected),
    ofPeers(
      'dtkd_peer_away',
      '1 if a member could not be reached when tried, and has not come back since',
      (peer) => peer.reach === 'away',
    ),
    ofPeers('dtkd_peer_relayed', '1 while a member is only reached through another member', (peer) => peer.path === 'relayed'),
    ofPeers('dtkd_peer_suspended', '1 while a member is suspended because its log forked', (peer) => peer.suspended),
    {
      name: 'dtkd_domain_conditions',
      help: "Conditions of members that need an operator's attention; dtkd status shows them",
      type: 'gauge',
      labels: ['domain'],
      samples: (domains) =>
        domains.map(({ name, peers }) => ({
          labels: { domain: name },
          value: peers.reduce((sum, { conditions }) => sum + conditions.length, 0),
        })),
    },
  ]);
}

function ofPeers(name: string, help: string, holds: (peer: MemberNumbers) => boolean): Family<Domains> {
  const samples = (domains: Domains): Sample[] =>
    domains.flatMap((domain) =>
      domain.peers
        .filter(({ self }) => !self)
        .map((peer) => ({ labels: { domain: domain.name, peer: peer.displayName }, value: holds(peer) ? 1 : 0 })),
    );
  return { name, help, type: 'gauge', labels: ['domain', 'peer'], samples };
}
