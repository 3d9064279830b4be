/** Metrics of the object store, and of the files kept next to it. */
import type { DurationCounts } from '../../counting/durations.ts';
import { type Area, area, one } from '../family.ts';

export interface StoreNumbers {
  /** By `group/plural`. */
  objects: ReadonlyMap<string, number>;
  changeLog: { entries: number; bytes: number };
  commits: { batches: number; transactions: number; failed: number };
  waiting: number;
  durations: DurationCounts;
  content: { files: number; bytes: number };
  /** Service instances by phase. */
  instances: Readonly<Record<string, number>>;
}

export function storeArea(read: () => Promise<StoreNumbers>): Area {
  return area('store', read, [
    {
      name: 'dtkd_store_objects',
      help: 'Objects in the store, including copies from other nodes',
      type: 'gauge',
      labels: ['group', 'kind'],
      samples: ({ objects }) =>
        [...objects].map(([key, value]) => {
          const cut = key.indexOf('/');
          return { labels: { group: key.slice(0, cut), kind: key.slice(cut + 1) }, value };
        }),
    },
    {
      name: 'dtkd_store_changelog_entries',
      help: 'Changes kept for watches that resume',
      type: 'gauge',
      samples: ({ changeLog }) => one(changeLog.entries),
    },
    {
      name: 'dtkd_store_changelog_bytes',
      help: 'Bytes of these changes',
      type: 'gauge',
      samples: ({ changeLog }) => one(changeLog.bytes),
    },
    {
      name: 'dtkd_store_commits_total',
      help: 'Batches written, each with one fsync',
      type: 'counter',
      samples: ({ commits }) => one(commits.batches),
    },
    {
      name: 'dtkd_store_transactions_total',
      help: 'Transactions in these batches',
      type: 'counter',
      samples: ({ commits }) => one(commits.transactions),
    },
    {
      name: 'dtkd_store_commit_failures_total',
      help: 'Batches that could not be written',
      type: 'counter',
      samples: ({ commits }) => one(commits.failed),
    },
    {
      name: 'dtkd_store_transactions_waiting',
      help: 'Transactions that wait for their turn',
      type: 'gauge',
      samples: ({ waiting }) => one(waiting),
    },
    {
      name: 'dtkd_store_commit_duration_seconds',
      help: 'Time until a batch was durable',
      type: 'histogram',
      samples: ({ durations }) => [{ durations }],
    },
    {
      name: 'dtkd_content_files',
      help: 'Files kept by digest: pieces of modules, copied files, and results',
      type: 'gauge',
      samples: ({ content }) => one(content.files),
    },
    {
      name: 'dtkd_content_bytes',
      help: 'Bytes of these files',
      type: 'gauge',
      samples: ({ content }) => one(content.bytes),
    },
    {
      name: 'dtkd_service_instances',
      help: 'Service instances of this node, by phase',
      type: 'gauge',
      labels: ['phase'],
      samples: ({ instances }) => Object.entries(instances).map(([phase, value]) => ({ labels: { phase }, value })),
    },
  ]);
}
