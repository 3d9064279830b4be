/** Logs of domains and what brings them to all members; who was let in, and who was not. */
import { type Area, area, type Family, type Labels, type Sample } from '../family.ts';

export interface ReplicationNumbers {
  /** The domain's. */
  name: string;
  counters: Readonly<Record<string, number>>;
  hellosRefused: Readonly<Record<string, number>>;
  joinsRefused: Readonly<Record<string, number>>;
  logs: readonly { author: string; entries: number; behind: number }[];
}

type Domains = readonly ReplicationNumbers[];

export function replicationArea(read: () => Promise<Domains>): Area {
  return area<Domains>('replication', read, [
    ofAuthors('dtkd_log_entries', "Entries of the present epoch of a member's log that are held here", ({ entries }) => entries),
    ofAuthors(
      'dtkd_log_entries_behind',
      "Entries of a member's log that other members told of and that are not held here",
      ({ behind }) => behind,
    ),
    counted('dtkd_log_entries_published_total', 'Entries that this node wrote into its own log', { written: {} }),
    counted('dtkd_log_entries_received_total', 'Entries that members passed on, by what became of them', {
      applied: { result: 'applied' },
      known: { result: 'known' },
      gap: { result: 'gap' },
      'unknown-author': { result: 'unknown_author' },
      forked: { result: 'forked' },
      delayed: { result: 'delayed' },
      refused: { result: 'refused' },
    }),
    counted('dtkd_log_forks_total', 'Logs that were found to have forked', { forks: {} }),
    counted('dtkd_log_takeovers_total', 'Times at which this node took over what it had published and lost', { takeOvers: {} }),
    counted('dtkd_sync_pulls_total', 'Conversations in which this node asked a member for entries', { pulls: {} }),
    counted('dtkd_sync_pull_failures_total', 'Those of them that failed', { pullsFailed: {} }),
    counted('dtkd_sync_comparisons_total', 'Comparisons with a neighbour of what both have', { comparisons: {} }),
    counted('dtkd_sync_comparison_failures_total', 'Those of them that failed', { comparisonsFailed: {} }),
    counted('dtkd_sync_repairs_total', 'Differences that a comparison found and that were repaired, or tried to be', { differences: {} }),
    counted('dtkd_sync_repair_failures_total', 'Those of them that could not be repaired', { repairsFailed: {} }),
    counted('dtkd_gossip_messages_total', 'Messages that neighbours gossiped, by how this node judged them', {
      gossipAccepted: { verdict: 'accepted' },
      gossipIgnored: { verdict: 'ignored' },
      gossipRejected: { verdict: 'rejected' },
    }),
    refused('dtkd_hello_refusals_total', 'Connections on which hello failed, by the code of the error', ({ hellosRefused }) => ({
      ...HELLO_CODES,
      ...hellosRefused,
    })),
    counted('dtkd_joins_admitted_total', 'Nodes that joined through this one', { joinsAdmitted: {} }),
    refused('dtkd_join_refusals_total', 'Joins that this node refused, by the code of the error', ({ joinsRefused }) => ({
      ...JOIN_CODES,
      ...joinsRefused,
    })),
    counted('dtkd_mesh_connections_dropped_total', 'Connections to the mesh port that were dropped before hello', {
      silentDropped: { reason: 'silent' },
      strangersDropped: { reason: 'stranger' },
      linksRefused: { reason: 'refused' },
    }),
    counted('dtkd_mesh_streams_refused_total', 'Streams that were more than a member, or a protocol, may have open', {
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

/** Counters of the domain, each with the labels that it gets here; one that has not counted yet is 0. */
function counted(name: string, help: string, from: Readonly<Record<string, Labels>>): Family<Domains> {
  const [first = {}] = Object.values(from);
  const samples = (domains: Domains): Sample[] =>
    domains.flatMap(({ name: domain, counters }) =>
      Object.entries(from).map(([counter, labels]) => ({ labels: { domain, ...labels }, value: counters[counter] ?? 0 })),
    );
  return { name, help, type: 'counter', labels: ['domain', ...Object.keys(first)], samples };
}

/** Codes that are told before they have happened, so that the first one is seen as an increase. */
const HELLO_CODES = { NOT_A_MEMBER: 0 };
const JOIN_CODES = { TOKEN_EXPIRED: 0, TOKEN_REVOKED: 0, TOKEN_USED_UP: 0, TOO_MANY_REQUESTS: 0 };

function refused(name: string, help: string, codes: (domain: ReplicationNumbers) => Readonly<Record<string, number>>): Family<Domains> {
  const samples = (domains: Domains): Sample[] =>
    domains.flatMap((domain) => Object.entries(codes(domain)).map(([code, value]) => ({ labels: { domain: domain.name, code }, value })));
  return { name, help, type: 'counter', labels: ['domain', 'code'], samples };
}
