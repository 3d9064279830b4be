/** The input of the checks of this machine: plain values, gathered by `gathering.ts`. */
import type { Listeners } from '../../protocol/settings/settings.ts';

export interface FileFacts {
  name: string;
  uid: number;
  /** Permission bits. */
  mode: number;
}

/** A process that listens on a TCP port of this machine. */
export interface Listening {
  host: string;
  port: number;
  /** Undefined if this user may not see whose port it is. */
  pid: number | undefined;
  program: string | undefined;
}

export interface DirectoryFacts {
  path: string;
  /** `closed`: this user may not read it, so its contents are unknown. */
  entry: 'directory' | 'absent' | 'file' | 'closed';
  uid: number | undefined;
  mode: number | undefined;
  /** True if this user may write it; undefined if it does not exist or belongs to another user, whose daemon writes it. */
  writable: boolean | undefined;
  /** The secret files that exist. */
  secrets: readonly FileFacts[];
  /** Set if the file system is unfit for a database, such as `nfs`. */
  fileSystem: string | undefined;
  freeBytes: number | undefined;
  freeInodes: number | undefined;
  inodes: number | undefined;
  /** True if the group may read the operator token, as the `operatorGroup` setting allows. */
  operatorGroup: boolean;
}

export interface DaemonFacts {
  /** From endpoint.json; undefined if that does not exist. */
  pid: number | undefined;
  alive: boolean;
  /** True if endpoint.json exists but cannot be parsed. */
  damaged: boolean;
  /** The process that holds the lock of the database, if the system reports it. */
  lockedBy: number | undefined;
  /** The soft limit of open files: the daemon's if it runs, or else that of this process. */
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
  /** Version of Node.js. */
  nodeVersion: string;
  /** Version of this command. */
  version: string;
  directory: DirectoryFacts | undefined;
  daemon: DaemonFacts | undefined;
  /** Where a daemon with these settings would listen; undefined if the settings are invalid or unknown. */
  listeners: Listeners | undefined;
  /** Undefined if unknown. */
  listening: readonly Listening[] | undefined;
  settings: {
    file: string | undefined;
    /** True if this user may not read the file. */
    closed: boolean;
    error: string | undefined;
    next: string | undefined;
  };
  /** Whether the system says that its clock is synchronised; undefined if it does not say. */
  clockSynchronised: boolean | undefined;
  unit: UnitFacts | undefined;
  /** The result of asking the daemon; undefined if it was not asked. `silent`: nothing answered at all. */
  answer: { version: string } | { error: string; silent: boolean; next: string | undefined } | undefined;
}
