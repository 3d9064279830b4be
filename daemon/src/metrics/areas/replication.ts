/** Metrics of domains' logs, of their replication to all members, and of nodes that were admitted or refused. */
import { type Area, area, type Family, type Labels, type Sample } from '../family.ts';

export interface ReplicationNumbers {
  /** The domain's name. */
  name: string;
  counters: Readonly<Record<string, number>>;
  hellosRefused: Readonly<Record<string, number>>;
  joinsRefused: Readonly<Record<string, number>>;
  logs: readonly { author: string; entries: number; behind: number }[];
}

type Domains = readonly ReplicationNumbers[];

export function replicationArea(read: () => Promise<Domains>): Area {
  return area<Domains>('replication', read, [
    ofAuthors('dtkd_log_entries', "Entries of the present epoch of a member's log that this node has", ({ entries }) => entries),
    ofAuthors(
      'dtkd_log_entries_behind',
      "Entries of a member's log that other members mentioned and that this node lacks",
      ({ behind }) => behind,
    ),
    counted('dtkd_log_entries_published_total', 'Entries that this node wrote into its own log', { written: {} }),
    counted('dtkd_log_entries_received_total', 'Entries received from members, by result', {
      applied: { result: 'applied' },
      known: { result: 'known' },
      gap: { result: 'gap' },
      'unknown-author': { result: 'unknown_author' },
      forked: { result: 'forked' },
      delayed: { result: 'delayed' },
      refused: { result: 'refused' },
    }),
    counted('dtkd_log_forks_total', 'Logs found to have forked', { forks: {} }),
    counted('dtkd_log_takeovers_total', 'Times that this node recovered what it had published and lost', { takeOvers: {} }),
    counted('dtkd_sync_pulls_total', 'Pulls of entries from members', { pulls: {} }),
    counted('dtkd_sync_pull_failures_total', 'Those of them that failed', { pullsFailed: {} }),
    counted('dtkd_sync_comparisons_total', 'Comparisons of state with a neighbour', { comparisons: {} }),
    counted('dtkd_sync_comparison_failures_total', 'Those of them that failed', { comparisonsFailed: {} }),
    counted('dtkd_sync_repairs_total', 'Differences found by a comparison, repaired or tried', { differences: {} }),
    counted('dtkd_sync_repair_failures_total', 'Those of them that could not be repaired', { repairsFailed: {} }),
    counted('dtkd_gossip_messages_total', "Gossip messages from neighbours, by this node's verdict", {
      gossipAccepted: { verdict: 'accepted' },
      gossipIgnored: { verdict: 'ignored' },
      gossipRejected: { verdict: 'rejected' },
    }),
    refused('dtkd_hello_refusals_total', 'Connections on which hello failed, by error code', ({ hellosRefused }) => ({
      ...HELLO_CODES,
      ...hellosRefused,
    })),
    counted('dtkd_joins_admitted_total', 'Nodes that joined through this one', { joinsAdmitted: {} }),
    refused('dtkd_join_refusals_total', 'Joins that this node refused, by error code', ({ joinsRefused }) => ({
      ...JOIN_CODES,
      ...joinsRefused,
    })),
    counted('dtkd_mesh_connections_dropped_total', 'Connections to the mesh port dropped before hello', {
      silentDropped: { reason: 'silent' },
      strangersDropped: { reason: 'stranger' },
      linksRefused: { reason: 'refused' },
    }),
    counted('dtkd_mesh_connections_lost_total', 'Connections with members that ended and left no direct one', { linksLost: {} }),
    counted('dtkd_mesh_streams_refused_total', 'Streams refused beyond the limit of a member or a protocol', {
      streamsRefused: {},
    }),
    counted('dtkd_mesh_circuits_total', 'Connections between other members that this node was asked to relay', {
      circuitsRelayed: { outcome: 'relayed' },
      circuitsRefused: { outcome: 'refused' },
    }),
  ]);
}

function ofAuthors(name: string, help: string, value: (log: ReplicationNumbers['logs'][number]) => number): Family<Domains> {
  const samples = (domains: Domains): Sample[] =>
    domains.flatMap((domain) => domain.logs.map((log) => ({ labels: { domain: domain.name, author: log.author }, value: value(log) })));
  return { name, help, type: 'gauge', labels: ['domain', 'author'], samples };
}

/** A family made of a domain's counters, each with the labels given here. A counter that has not counted yet is 0. */
function counted(name: string, help: string, from: Readonly<Record<string, Labels>>): Family<Domains> {
  const [first = {}] = Object.values(from);
  const samples = (domains: Domains): Sample[] =>
    domains.flatMap(({ name: domain, counters }) =>
      Object.entries(from).map(([counter, labels]) => ({ labels: { domain, ...labels }, value: counters[counter] ?? 0 })),
    );
  return { name, help, type: 'counter', labels: ['domain', ...Object.keys(first)], samples };
}

/** Codes that are reported before they have occurred, so that the first occurrence shows as an increase. */
const HELLO_CODES = { NOT_A_MEMBER: 0 };
const JOIN_CODES = { TOKEN_EXPIRED: 0, TOKEN_REVOKED: 0, TOKEN_USED_UP: 0, TOO_MANY_REQUESTS: 0 };

function refused(name: string, help: string, codes: (domain: ReplicationNumbers) => Readonly<Record<string, number>>): Family<Domains> {
  const samples = (domains: Domains): Sample[] =>
    domains.flatMap((domain) => Object.entries(codes(domain)).map(([code, value]) => ({ labels: { domain: domain.name, code }, value })));
  return { name, help, type: 'counter', labels: ['domain', 'code'], samples };
}
