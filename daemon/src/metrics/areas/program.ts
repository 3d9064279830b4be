/** Metrics of the program itself, its machine's clock, and its data directory. */
import { type Area, area, each, one } from '../family.ts';

export interface ProgramNumbers {
  version: string;
  /** Milliseconds since the epoch. */
  now: number;
  /** Checks of /readyz, by name. */
  checks: Readonly<Record<string, boolean>>;
  /** Bytes of parts of the data directory, by name. */
  dataBytes: Readonly<Record<string, number>>;
  /** The file system of the data directory; undefined if it cannot be queried. */
  disk: { freeBytes: number; sizeBytes: number } | undefined;
}

export function programArea(read: () => Promise<ProgramNumbers>): Area {
  return area('program', read, [
    {
      name: 'dtkd_build_info',
      help: 'Always 1; its labels are the versions of dtkd and of Node.js',
      type: 'gauge',
      labels: ['version', 'node_version'],
      samples: ({ version }) => [{ labels: { version, node_version: process.version }, value: 1 }],
    },
    {
      name: 'dtkd_clock_timestamp_seconds',
      help: "The machine's clock at the scrape; compare it with the time of the scrape",
      type: 'gauge',
      samples: ({ now }) => one(now / 1000),
    },
    {
      name: 'dtkd_ready',
      help: '1 if a check of /readyz passes, 0 if it fails',
      type: 'gauge',
      labels: ['check'],
      samples: ({ checks }) => Object.entries(checks).map(([check, holds]) => ({ labels: { check }, value: holds ? 1 : 0 })),
    },
    {
      name: 'dtkd_data_bytes',
      help: 'Size of a part of the data directory',
      type: 'gauge',
      labels: ['part'],
      samples: ({ dataBytes }) => each('part', dataBytes),
    },
    {
      name: 'dtkd_disk_free_bytes',
      help: 'Space that dtkd may still use on the file system of the data directory',
      type: 'gauge',
      samples: ({ disk }) => (disk === undefined ? [] : one(disk.freeBytes)),
    },
    {
      name: 'dtkd_disk_size_bytes',
      help: 'Size of the file system of the data directory',
      type: 'gauge',
      samples: ({ disk }) => (disk === undefined ? [] : one(disk.sizeBytes)),
    },
  ]);
}
