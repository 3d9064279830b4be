/** The files of an audit log, behind a port that tests can make fail. Does not know what the lines mean. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../disk/sync-directory.ts';
import { seqOfFile } from './audit-line.ts';

export interface AuditFile {
  size(): Promise<number>;
  /** Reads fewer bytes only at the end of the file. */
  read(at: number, length: number): Promise<Uint8Array>;
  /** Writes all bytes at this position. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Resolves when everything written is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface AuditDisk {
  /** Names of the log's files, in order. */
  list(): Promise<string[]>;
  /** Opens a file for writing and reading; creates it durably if it does not exist. */
  open(name: string): Promise<AuditFile>;
  /** Opens an existing file for reading. */
  openToRead(name: string): Promise<AuditFile>;
  remove(name: string): Promise<void>;
}

/** Only the user who runs the daemon may read the log. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

export function auditDirectory(directory: string): AuditDisk {
  return {
    async list() {
      await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
      return (await readdir(directory)).filter((name) => seqOfFile(name) !== undefined).sort();
    },
    async open(name) {
      const handle = await open(join(directory, name), constants.O_RDWR | constants.O_CREAT, FILE_MODE);
      try {
        await syncDirectory(directory);
      } catch (error) {
        await handle.close();
        throw error;
      }
      return new HandleFile(handle);
    },
    openToRead: async (name) => new HandleFile(await open(join(directory, name), 'r')),
    remove: (name) => unlink(join(directory, name)),
  };
}

class HandleFile implements AuditFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let count = 0;
    while (count < length) {
      const { bytesRead } = await this.#handle.read(bytes, count, length - count, at + count);
      if (bytesRead === 0) break;
      count += bytesRead;
    }
    return bytes.subarray(0, count);
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    for (let count = 0; count < bytes.length; ) {
      count += (await this.#handle.write(bytes, count, bytes.length - count, at + count)).bytesWritten;
    }
  }

  truncate(size: number): Promise<void> {
    return this.#handle.truncate(size);
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
