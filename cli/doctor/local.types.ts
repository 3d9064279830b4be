/** What the checks of this machine look at: plain values, gathered by `gathering.ts`. */
import type { Listeners } from '../../protocol/settings/settings.ts';

export interface FileFacts {
  name: string;
  uid: number;
  /** Permission bits. */
  mode: number;
}

/** Somebody who listens on a TCP port of this machine. */
export interface Listening {
  host: string;
  port: number;
  /** Who it is, where the system tells this user. */
  pid: number | undefined;
  program: string | undefined;
}

export interface DirectoryFacts {
  path: string;
  /** `closed`: another user's, which this one may not read; what is in it is not known. */
  entry: 'directory' | 'absent' | 'file' | 'closed';
  uid: number | undefined;
  mode: number | undefined;
  /** True if this user may write it; undefined if that does not matter, since another user's daemon does. */
  writable: boolean | undefined;
  /** Those that are there, of what must be read by nobody else. */
  secrets: readonly FileFacts[];
  /** As `nfs`, where it is one that matters. */
  fileSystem: string | undefined;
  freeBytes: number | undefined;
  freeInodes: number | undefined;
  inodes: number | undefined;
  /** True if its group may read the operator token, as `operatorGroup` says. */
  operatorGroup: boolean;
}

export interface DaemonFacts {
  /** From endpoint.json; undefined if there is none. */
  pid: number | undefined;
  alive: boolean;
  /** True if endpoint.json is there and cannot be understood. */
  damaged: boolean;
  /** Process that holds the lock of the database, where the system tells. */
  lockedBy: number | undefined;
  /** Soft limit of open files, of the daemon if it runs, else of this process. */
  openFiles: number | undefined;
}

export interface UnitFacts {
  name: string;
  active: string;
  sub: string;
  result: string;
  mainPid: number;
  needsReload: boolean;
}

export interface LocalFacts {
  /** Of Node.js. */
  nodeVersion: string;
  /** Of this command. */
  version: string;
  directory: DirectoryFacts | undefined;
  daemon: DaemonFacts | undefined;
  /** Where a daemon with the settings would listen; undefined if the settings are wrong or not known. */
  listeners: Listeners | undefined;
  /** Undefined if it cannot be found out. */
  listening: readonly Listening[] | undefined;
  settings: {
    file: string | undefined;
    /** True if this user may not read the file. */
    closed: boolean;
    error: string | undefined;
    next: string | undefined;
  };
  /** True if the system says that its clock is synchronised; undefined if it does not tell. */
  clockSynchronised: boolean | undefined;
  unit: UnitFacts | undefined;
  /** What came of asking the daemon; undefined if it was not asked. `silent`: nothing answered at all. */
  answer: { version: string } | { error: string; silent: boolean; next: string | undefined } | undefined;
}
