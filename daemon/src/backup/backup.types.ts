import type { Logger } from '../logging/logger.types.ts';
import type { Kv } from '../store/kv.ts';

/** Repositories of service instances, as a backup reads them. */
export interface BackupRepositories {
  names(): Promise<string[]>;
  /** Runs `work` with exclusive use of the repository. Errors: NOT_FOUND. */
  alone<T>(name: string, work: (directory: string) => Promise<T>): Promise<T>;
}

export interface BackupOptions {
  /** The data directory. */
  directory: string;
  kv: Pick<Kv, 'snapshot'>;
  node: { name: string };
  /** The version of this program. */
  program: string;
  /** Flushes the audit log to disk. Returns the lengths of its files in the directory `audit`. */
  audit(): Promise<{ name: string; bytes: number }[]>;
  /** The repositories in the directory `instances`. */
  repositories: BackupRepositories;
  logger: Logger;
  now(): number;
}

export interface Backups {
  /** Removes what an earlier process left of a backup. */
  tidy(): Promise<void>;
  /**
   * Makes a backup and returns its bytes, at the reader's pace. Only one at a time. Errors that can be found early are thrown before the
   * first byte. Errors: CONFLICT, DISK_FULL, UNAVAILABLE.
   */
  make(signal: AbortSignal): Promise<{ id: string; bytes: AsyncIterable<Uint8Array> }>;
}
