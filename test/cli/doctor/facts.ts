import type { DaemonFacts, DirectoryFacts, LocalFacts } from '../../../cli/doctor/local.types.ts';

const MIB = 1024 * 1024;

export function directory(more: Partial<DirectoryFacts> = {}): DirectoryFacts {
  return {
    path: '/data',
    entry: 'directory',
    uid: 1000,
    mode: 0o700,
    writable: true,
    secrets: [{ name: 'admin.token', uid: 1000, mode: 0o600 }],
    fileSystem: undefined,
    freeBytes: 10_000 * MIB,
    freeInodes: 900_000,
    inodes: 1_000_000,
    operatorGroup: false,
    ...more,
  };
}

export function daemon(more: Partial<DaemonFacts> = {}): DaemonFacts {
  return { pid: 42, alive: true, damaged: false, lockedBy: 42, openFiles: 65_536, ...more };
}

/** A machine without problems, with a running daemon. */
export function local(more: Partial<LocalFacts> = {}): LocalFacts {
  return {
    nodeVersion: 'v24.1.0',
    version: '1.2.3',
    directory: directory(),
    daemon: daemon(),
    listeners: {
      api: { host: '127.0.0.1', port: 7700 },
      mesh: { host: undefined, port: 7701 },
      ingress: { host: '127.0.0.1', port: 7702 },
    },
    listening: [],
    settings: { file: undefined, closed: false, error: undefined, next: undefined },
    clockSynchronised: true,
    unit: undefined,
    answer: { version: '1.2.3' },
    ...more,
  };
}
