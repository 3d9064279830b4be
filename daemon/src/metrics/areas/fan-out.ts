/** Metrics of requests to other nodes on behalf of this node's users, and of the statements about each node in lists over nodes. */
import type { DurationCounts } from '../../counting/durations.ts';
import { type Area, area } from '../family.ts';

export interface FanOutNumbers {
  asked: readonly { node: string; outcomes: Readonly<Record<string, number>>; durations: DurationCounts }[];
  statements: readonly { node: string; state: string; count: number }[];
}

export function fanOutArea(read: () => FanOutNumbers): Area {
  return area('fan-out', read, [
    {
      name: 'dtkd_fanout_duration_seconds',
      help: "Time until another node's answer began",
      type: 'histogram',
      labels: ['peer'],
      samples: ({ asked }) => asked.map(({ node, durations }) => ({ labels: { peer: node }, durations })),
    },
    {
      name: 'dtkd_fanout_requests_total',
      help: "Requests to other nodes on behalf of this node's users, by outcome",
      type: 'counter',
      labels: ['peer', 'outcome'],
      samples: ({ asked }) =>
        asked.flatMap(({ node, outcomes }) =>
          Object.entries(outcomes).map(([outcome, value]) => ({ labels: { peer: node, outcome }, value })),
        ),
    },
    {
      name: 'dtkd_fanout_statements_total',
      help: 'States of nodes reported in lists over nodes: answered, denied, stale, unreachable or unasked',
      type: 'counter',
      labels: ['peer', 'state'],
      samples: ({ statements }) => statements.map(({ node, state, count }) => ({ labels: { peer: node, state }, value: count })),
    },
  ]);
}
