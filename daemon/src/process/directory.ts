import { mkdirSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing } from '../disk/system-error.ts';

/**
 * Makes a directory and its missing parents. Unlike the recursive mode of `mkdir`, it also terminates where a file system reports ENOENT
 * for an existing parent, as /proc does.
 */
export function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
    const parent = dirname(path);
    if (!isMissing(error) || parent === path || statSync(parent, { throwIfNoEntry: false }) !== undefined) throw error;
    makeDirectory(parent, mode);
    mkdirSync(path, { mode });
  }
}

/** The bytes of the files in a directory. Does not descend into directories. */
export async function directoryBytes(directory: string): Promise<number> {
  const names = await readdir(directory).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(directory, name))
        .then((info) => info.size)
        .catch(() => 0),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
