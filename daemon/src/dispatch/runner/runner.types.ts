/** Processes on this machine: started, watched, ended, and found again after the daemon itself was away. */
import type { DtkdError } from '../../../../protocol/errors.ts';
import type { OutputRecord } from '../../../../protocol/orders/records.ts';

/** A process for good: numbers are used again, boots end all. */
export interface ProcessIdentity {
  /** /proc/sys/kernel/random/boot_id, or what stands for it. */
  boot: string;
  pid: number;
  /** Its start time in clock ticks since boot (/proc/PID/stat field 22), or what stands for it. */
  start: string;
}

export interface ProcessSpec {
  /** A directory of its own, made by the runner: pipes, exit record, secrets. */
  directory: string;
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** Absent: the daemon's own. */
  user?: string;
  /** Values that must never be in the output: replaced by *** wherever they come whole. */
  masks: readonly Buffer[];
  /** Written into files of mode 0600 for the process alone, and removed when it has ended; `variable` gets the path. */
  secretFiles: readonly { variable: string; value: Buffer }[];
  /** The text of a script, written into a file of mode 0700 before the process starts. */
  script?: { path: string; text: string } | undefined;
}

/** How it ended; `undefined` fields: cannot be known (it ended while nobody looked, without its record). */
export interface ProcessEnd {
  exitStatus?: number;
  signal?: string;
  endedAt?: number;
  /** Ended without a record: neither status nor signal is known. */
  unknown?: boolean;
  /** Processes that still held its output open, were let go, not ended. Of one that is unknown it may be the process itself. */
  leftBehind?: boolean;
}

export interface RunningProcess {
  identity: ProcessIdentity;
  /**
   * Of one that was adopted: its daemon was killed, and what that had just read of the output, and not yet put anywhere, is lost. What it
   * had not read is not.
   */
  gap?: boolean;
  /** Settles when it has ended and its output has been read to the end. Never rejects. */
  ended: Promise<ProcessEnd>;
  /** TERM to the whole group, KILL after `graceMs`. Resolves with `ended`. */
  kill(graceMs?: number): Promise<ProcessEnd>;
}

export interface Runner {
  /**
   * Starts a process in a group of its own, stdin empty, with only the environment that it is given. It outlives the daemon: its output
   * waits in its pipes, its end in a record. Errors (nothing was started): INVALID (no such program, user or directory), FORBIDDEN.
   */
  start(spec: ProcessSpec, output: (stream: 'out' | 'err', chunk: Buffer) => void | Promise<void>): Promise<RunningProcess>;
  /** Finds one that an earlier daemon started, running or ended. */
  adopt(
    directory: string,
    identity: ProcessIdentity | undefined,
    masks: readonly Buffer[],
    output: (stream: 'out' | 'err', chunk: Buffer) => void | Promise<void>,
  ): Promise<RunningProcess>;
  /** Removes files that are no longer of use, and last the directory that they are in, with all else that is there; perhaps after a while. Never rejects. */
  remove(paths: readonly string[]): Promise<void>;
  /** A user of this machine: for HOME, LOGNAME and the like. Errors: INVALID if there is none. */
  account(user: string): Promise<{ name: string; uid: number; gid: number; home: string; shell: string }>;
  /** Leaves all processes to run on, for the next daemon to adopt. Their `ended` never settles here. */
  close(): Promise<void>;
}

/** The kept output of one part: a file of records (protocol/orders/records.ts). */
export interface Spool {
  /** Where it ends. */
  readonly offset: number;
  /** Bytes of output beyond the cap, which were not kept. Of a spool that is opened again, those since then. */
  readonly dropped: number;
  /** Why output is no longer kept although there is room for it: the disk is full, or cannot be written. */
  readonly error: DtkdError | undefined;
  /** Nothing can be added any more; reading goes on. */
  readonly closed: boolean;
  /** Adds a record; of output beyond the cap it keeps the count only. Resolves when it may take more (back-pressure). */
  append(record: OutputRecord): Promise<void>;
  /** Whole records from an offset on, at most so many bytes; empty at the end. BAD_REQUEST if the offset is not between two records. */
  read(offset: number, maxBytes: number): Promise<Uint8Array>;
  /** Calls back after each addition. Returns a function that unsubscribes. */
  onGrowth(listener: () => void): () => void;
  /** No more to come; written out. */
  close(): Promise<void>;
}

export interface Spools {
  /**
   * Opens or goes on with the spool of a part; one that is open is the same to all. A record that was cut off by a crash is cut away. The
   * file is made with the first record. A spool that is only read needs no close.
   */
  open(path: string, capBytes: number): Promise<Spool>;
}
