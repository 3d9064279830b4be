/** Atomic file writes, and errors of the disk in words. */
import { constants } from 'node:fs';
import { access, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { AT_ONCE } from './limits.ts';

let count = 0;

/** A path below `directory` that nothing else uses. */
export function temporaryIn(directory: string, prefix: string): string {
  count += 1;
  return join(directory, `${prefix}${process.pid}-${count}`);
}

export interface Replace {
  path: string;
  data: Uint8Array | string;
  mode?: number;
  /** Path to write to first, on the same file system. Default: beside the file. */
  temporary?: string;
}

/** Writes a file and atomically replaces any at `path`. Durable when it resolves. */
export async function replaceFile({ path, data, mode = 0o644, temporary }: Replace): Promise<void> {
  const aside = temporary ?? temporaryIn(dirname(path), `.${basename(path)}-`);
  try {
    const file = await open(aside, 'wx', mode);
    try {
      await file.writeFile(data);
      // independent of the daemon's umask
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw storageError(error);
  }
}

/** Opens a plain file for reading. Does not follow a link and does not block on a pipe. */
export function openPlain(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export async function eachOf<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** The same error, or DISK_FULL if the disk or quota is full. */
export function storageError(error: unknown): unknown {
  const code = codeOf(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new DtkdError('DISK_FULL', 'there is no room on the disk for a service instance', {
    next: 'Free some space and try again.',
    cause: error,
  });
}

export function codeOf(error: unknown): unknown {
  return Reflect.get(Object(error), 'code');
}
