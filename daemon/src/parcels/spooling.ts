/** Spools a parcel to disk, because it is read twice: first to check it, then to import it. Removes it afterwards. */
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';
import { MAX_PARCEL_BYTES } from '../../../protocol/parcel/parcel.ts';
import { Room } from '../disk/room.ts';
import { isFull } from '../disk/system-error.ts';

/** Creates the directory, and removes what an earlier daemon left in it. */
export async function emptySpool(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) await rm(join(directory, name), { force: true, recursive: true });
}

/**
 * Writes `source` to a file, calls `use` with its path, and removes the file. Errors: TOO_LARGE, DISK_FULL, and those of the source and of
 * `use`.
 */
export async function spooled<T>(
  { directory, name, source, signal }: { directory: string; name: string; source: AsyncIterable<Uint8Array>; signal: AbortSignal },
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(directory, name);
  try {
    await write(path, source, signal);
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}

async function write(path: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  const room = new Room(dirname(path));
  let size = 0;
  try {
    for await (const chunk of source) {
      signal.throwIfAborted();
      size += chunk.length;
      if (size > MAX_PARCEL_BYTES) throw new DtkdError('TOO_LARGE', `a bundle has at most ${MAX_PARCEL_BYTES / 1024 ** 3} GiB`);
      if (!(await room.has(chunk.length))) refuseDisk();
      await file.writeFile(chunk).catch(refuseDisk);
    }
  } finally {
    await file.close();
  }
}

/** Throws DISK_FULL for a full disk, and other causes as they are. Without a cause: the space left on the disk is reserved. */
function refuseDisk(cause?: unknown): never {
  if (cause === undefined || isFull(cause)) {
    throw new DtkdError('DISK_FULL', 'there is no room on this disk to read the bundle', {
      next: 'Free some space, then import it again.',
      cause,
    });
  }
  throw cause;
}
