/** A parcel on this disk while it is read: it is read twice, first to check it and then to take it in, and is gone afterwards. */
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';
import { MAX_PARCEL_BYTES } from '../../../protocol/parcel/parcel.ts';
import { Room } from '../disk/room.ts';
import { isFull } from '../disk/system-error.ts';

/** Removes what an earlier daemon left. */
export async function emptySpool(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) await rm(join(directory, name), { force: true, recursive: true });
}

/** Calls `use` with the file that has the bytes of `source`. Errors: TOO_LARGE, DISK_FULL; what the source throws. */
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

/** Without a cause: what is left is not for bundles. */
function refuseDisk(cause?: unknown): never {
  if (cause === undefined || isFull(cause)) {
    throw new DtkdError('DISK_FULL', 'there is no room on this disk to read the bundle', {
      next: 'Free some space, then import it again.',
      cause,
    });
  }
  throw cause;
}
