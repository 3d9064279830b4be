/** Metrics of apps, the HTTP ingress and tunnels. */
import { type Area, area, one } from '../family.ts';

export interface AppNumbers {
  /** Apps of this node, and copies of members' apps. */
  own: number;
  copies: number;
  byStatus: Readonly<Record<string, number>>;
  counters: Readonly<Record<string, number>>;
  /** The proxy's answers, by the first digit of their status. */
  answers: readonly number[];
  served: { received: number; sent: number; open: number; accepted: number; refused: number };
  opened: { received: number; sent: number; streams: number; lanes: number; lanesOpened: number; lanesFailed: number };
}

const STATUSES = ['Ready', 'NoService', 'NoEndpoints', 'NoDomain', 'NoAuthenticationURL', 'OwnerAway'] as const;
const CLASSES = [1, 2, 3, 4, 5] as const;

export function appsArea(read: () => AppNumbers): Area {
  return area('apps', read, [
    {
      name: 'dtkd_apps',
      help: "Apps of this node, and copies of members' apps",
      type: 'gauge',
      labels: ['owner'],
      samples: ({ own, copies }) => [
        { labels: { owner: 'self' }, value: own },
        { labels: { owner: 'member' }, value: copies },
      ],
    },
    {
      name: 'dtkd_apps_by_status',
      help: 'The same by their status',
      type: 'gauge',
      labels: ['status'],
      samples: ({ byStatus }) => STATUSES.map((status) => ({ labels: { status }, value: byStatus[status] ?? 0 })),
    },
    {
      name: 'dtkd_http_connections',
      help: 'Open client connections of the HTTP proxy',
      type: 'gauge',
      samples: ({ counters }) => one(counters['httpConnections'] ?? 0),
    },
    {
      name: 'dtkd_http_responses_total',
      help: 'HTTP responses to clients of the HTTP proxy, by status class',
      type: 'counter',
      labels: ['class'],
      samples: ({ answers }) => CLASSES.map((first) => ({ labels: { class: `${first}xx` }, value: answers[first] ?? 0 })),
    },
    {
      name: 'dtkd_http_connections_refused_total',
      help: 'Connections refused beyond the limit of the HTTP proxy',
      type: 'counter',
      samples: ({ counters }) => one(counters['httpRefused'] ?? 0),
    },
    {
      name: 'dtkd_tunnels_open',
      help: 'Open tunnels of members to apps of this node',
      type: 'gauge',
      samples: ({ served }) => one(served.open),
    },
    {
      name: 'dtkd_tunnels_total',
      help: 'Tunnels that members asked for',
      type: 'counter',
      labels: ['outcome'],
      samples: ({ served }) => [
        { labels: { outcome: 'accepted' }, value: served.accepted },
        { labels: { outcome: 'refused' }, value: served.refused },
      ],
    },
    {
      name: 'dtkd_tunnel_bytes_total',
      help: "Bytes in and out through tunnels: of members to apps here (served), and of this node to members' apps (used)",
      type: 'counter',
      labels: ['side', 'direction'],
      samples: ({ served, opened }) => [
        { labels: { side: 'served', direction: 'in' }, value: served.received },
        { labels: { side: 'served', direction: 'out' }, value: served.sent },
        { labels: { side: 'used', direction: 'in' }, value: opened.received },
        { labels: { side: 'used', direction: 'out' }, value: opened.sent },
      ],
    },
    {
      name: 'dtkd_lanes_open',
      help: 'Open fast lanes with members',
      type: 'gauge',
      samples: ({ opened }) => one(opened.lanes),
    },
    {
      name: 'dtkd_lane_failures_total',
      help: 'Fast lanes that could not be opened; their tunnels went over the mesh',
      type: 'counter',
      samples: ({ opened }) => one(opened.lanesFailed),
    },
    {
      name: 'dtkd_forwards_open',
      help: 'Local ports that lead to apps',
      type: 'gauge',
      samples: ({ counters }) => one(counters['forwards'] ?? 0),
    },
    {
      name: 'dtkd_endpoint_failures_total',
      help: 'Endpoints of apps of this node that could not be reached',
      type: 'counter',
      samples: ({ counters }) => one(counters['endpointFailures'] ?? 0),
    },
  ]);
}
