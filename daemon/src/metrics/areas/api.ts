/** Metrics of requests to the API, and of the audit log that they leave. */
import type { DurationCounts } from '../../counting/durations.ts';
import { type Area, area, one } from '../family.ts';

export interface ApiNumbers {
  requests: readonly { verb: string; origin: string; status: number; count: number }[];
  durations: readonly { verb: string; durations: DurationCounts }[];
  streams: number;
  audit: {
    lines: number;
    waiting: number;
    lost: number;
    /** Milliseconds since the epoch. */
    publishedAt: number | undefined;
    unpublished: number;
    contradictions: number;
  };
}

export function apiArea(read: () => ApiNumbers): Area {
  return area('api', read, [
    {
      name: 'dtkd_api_requests_total',
      help: "API requests answered: of clients, of members for their users, and of the daemon on somebody's behalf",
      type: 'counter',
      labels: ['verb', 'origin', 'code'],
      samples: ({ requests }) =>
        requests.map(({ verb, origin, status, count }) => ({ labels: { verb, origin, code: String(status) }, value: count })),
    },
    {
      name: 'dtkd_api_request_duration_seconds',
      help: 'Time until answers to requests began',
      type: 'histogram',
      labels: ['verb'],
      samples: ({ durations }) => durations.map(({ verb, durations: counts }) => ({ labels: { verb }, durations: counts })),
    },
    {
      name: 'dtkd_api_streams_open',
      help: 'Open watches and other streaming answers',
      type: 'gauge',
      samples: ({ streams }) => one(streams),
    },
    {
      name: 'dtkd_audit_lines_total',
      help: 'Lines written to the audit log',
      type: 'counter',
      samples: ({ audit }) => one(audit.lines),
    },
    {
      name: 'dtkd_audit_lines_waiting',
      help: 'Lines waiting in memory because the disk refuses them',
      type: 'gauge',
      samples: ({ audit }) => one(audit.waiting),
    },
    {
      name: 'dtkd_audit_lines_lost_total',
      help: 'Lines lost because memory was full while the disk refused them',
      type: 'counter',
      samples: ({ audit }) => one(audit.lost),
    },
    {
      name: 'dtkd_audit_published_timestamp_seconds',
      help: 'When the head of the audit log was last published to members',
      type: 'gauge',
      samples: ({ audit }) => (audit.publishedAt === undefined ? [] : one(audit.publishedAt / 1000)),
    },
    {
      name: 'dtkd_audit_lines_unwitnessed',
      help: 'Lines since the head of the audit log was last published',
      type: 'gauge',
      samples: ({ audit }) => one(audit.unpublished),
    },
    {
      name: 'dtkd_audit_contradictions',
      help: 'Members whose audit logs contradict earlier heads',
      type: 'gauge',
      samples: ({ audit }) => one(audit.contradictions),
    },
  ]);
}
