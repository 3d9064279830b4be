import type { Logger } from '../logging/logger.types.ts';
import type { Kv } from '../store/kv.ts';

/** Repositories of service instances, as a backup reads them. */
export interface BackupRepositories {
  names(): Promise<string[]>;
  /** Nothing else is done with it meanwhile. Errors: NOT_FOUND. */
  alone<T>(name: string, work: (directory: string) => Promise<T>): Promise<T>;
}

export interface BackupOptions {
  /** The data directory. */
  directory: string;
  kv: Pick<Kv, 'snapshot'>;
  node: { name: string };
  /** Version of this program. */
  program: string;
  /** Brings the audit log to the disk; says how far its files, in the directory `audit`, are written. */
  audit(): Promise<{ name: string; bytes: number }[]>;
  /** In the directory `instances`. */
  repositories: BackupRepositories;
  logger: Logger;
  now(): number;
}

export interface Backups {
  /** Removes what an earlier process left of one. */
  tidy(): Promise<void>;
  /**
   * The bytes of a new backup, at the pace of whoever takes them. One at a time. What cannot be is thrown before the first byte. Errors: CONFLICT, DISK_FULL,
   * UNAVAILABLE.
   */
  make(signal: AbortSignal): Promise<{ id: string; bytes: AsyncIterable<Uint8Array> }>;
}
