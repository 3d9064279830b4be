/**
 * The port of the runner: processes on this machine that are started, watched, killed, and found again after a restart of the daemon; and
 * the spools of their output.
 */
import type { DtkdError } from '../../../../protocol/errors.ts';
import type { OutputRecord } from '../../../../protocol/orders/records.ts';

/** Identifies a process uniquely: numbers are reused, and a reboot ends all processes. */
export interface ProcessIdentity {
  /** /proc/sys/kernel/random/boot_id, or the system's equivalent. */
  boot: string;
  pid: number;
  /** Its start time in clock ticks since boot (/proc/PID/stat field 22), or the system's equivalent. */
  start: string;
}

export interface ProcessSpec {
  /** The run directory, which the runner makes: pipes, exit record, secrets. */
  directory: string;
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** Absent: the daemon's own user. */
  user?: string;
  /** Values that must not appear in the output: each complete occurrence becomes ***. Values under MIN_MASK_BYTES are not masked. */
  masks: readonly Buffer[];
  /** Written to files of mode 0600 that only the process's user can read, and removed when it has ended. `variable` gets the path. */
  secretFiles: readonly { variable: string; value: Buffer }[];
  /** A script's text, written to a file of mode 0700 before the process starts. */
  script?: { path: string; text: string } | undefined;
}

/** How a process ended. A field is undefined if it cannot be known: the process ended unwatched, without a record. */
export interface ProcessEnd {
  exitStatus?: number;
  signal?: string;
  endedAt?: number;
  /** It ended without a record: neither status nor signal is known. */
  unknown?: boolean;
  /** Other processes still held its output open; they were left running. If the end is unknown, the process itself may be one of them. */
  leftBehind?: boolean;
}

export interface RunningProcess {
  identity: ProcessIdentity;
  /**
   * Only of an adopted process: its daemon was killed, and output that it had read but not stored yet is lost. Output that it had not
   * read is not.
   */
  gap?: boolean;
  /** Settles when the process has ended and its output was read to the end. Never rejects. */
  ended: Promise<ProcessEnd>;
  /** Sends TERM to the group and its descendants, and KILL after `graceMs`. Resolves with `ended`. */
  kill(graceMs?: number): Promise<ProcessEnd>;
}

export interface Runner {
  /**
   * Starts a process in a session of its own, with an empty standard input and only the given environment. It outlives the daemon: its
   * output waits in its pipes, its end in a record. Errors, after which nothing was started: INVALID (no such program, user or
   * directory), FORBIDDEN, DISK_FULL, UNAVAILABLE.
   */
  start(spec: ProcessSpec, output: (stream: 'out' | 'err', chunk: Buffer) => void | Promise<void>): Promise<RunningProcess>;
  /** Finds a process that an earlier daemon started, running or ended. */
  adopt(
    directory: string,
    identity: ProcessIdentity | undefined,
    masks: readonly Buffer[],
    output: (stream: 'out' | 'err', chunk: Buffer) => void | Promise<void>,
  ): Promise<RunningProcess>;
  /** Removes files and, as the last path, the directory that they are in with everything else in it; possibly later. Never rejects. */
  remove(paths: readonly string[]): Promise<void>;
  /** Looks up a user of this machine, for HOME, LOGNAME and the like. Errors: INVALID if there is none. */
  account(user: string): Promise<{ name: string; uid: number; gid: number; home: string; shell: string }>;
  /** Leaves all processes running, for the next daemon to adopt. Their `ended` never settles here. */
  close(): Promise<void>;
}

/** The kept output of one part: a file of records (protocol/orders/records.ts). */
export interface Spool {
  /** Where the file ends: the offset of the next record. */
  readonly offset: number;
  /** Bytes of output that were not kept. Of a reopened spool: those since it was opened. */
  readonly dropped: number;
  /** Why output is no longer kept although the cap is not reached: the disk is full, or cannot be written. */
  readonly error: DtkdError | undefined;
  /** True once nothing can be added any more. Reading still works. */
  readonly closed: boolean;
  /** Adds a record. Output beyond the cap is only counted. Resolves when the spool can take more (back-pressure). */
  append(record: OutputRecord): Promise<void>;
  /**
   * Reads whole records from an offset, at most `maxBytes` but at least one; empty at the end. BAD_REQUEST if the offset is not between
   * two records.
   */
  read(offset: number, maxBytes: number): Promise<Uint8Array>;
  /** Calls back after each addition. Returns a function that unsubscribes. */
  onGrowth(listener: () => void): () => void;
  /** Ends the spool, and resolves when it is on disk. */
  close(): Promise<void>;
}

export interface Spools {
  /**
   * Opens the spool of a part, or continues it. While it is in use, every caller gets the same object. A record that a crash left
   * incomplete is cut off. The file is created with the first record. A spool that is only read needs no close.
   */
  open(path: string, capBytes: number): Promise<Spool>;
}
