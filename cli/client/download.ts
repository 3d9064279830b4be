/**
 * Downloads a file from the daemon: continues where an earlier attempt stopped, verifies its digest, and gives it its name only once it is
 * complete.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { chmod, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DtkdError } from '../../protocol/errors.ts';
import { textAt } from '../json.ts';
import { cannotWrite } from '../output/cannot-write.ts';
import type { ApiClient } from './api.ts';
import { getContent } from './content.ts';

export interface Wanted {
  digest: string;
  size: number;
  mode: number;
  /** The node that has it. */
  node: string;
}

export interface DownloadOptions {
  /** Called with the bytes that are here and the total. */
  onProgress?(done: number, size: number): void;
}

/** Hex digits of the digest in the name of a partial file, so that it is not mistaken for another file's. */
const PART_DIGITS = 16;
/** The bits taken from another node's mode. Without setuid and setgid, so that a copy never runs as its owner. */
const PERMISSIONS = 0o777;
/** Appends to what an earlier attempt left, but does not follow a symlink that somebody else put there. */
const GO_ON = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

/** Downloads a file to `path`, whose directory must exist. Errors: BAD_REQUEST, CONTENT_ALTERED, and those of the daemon. */
export async function download(client: ApiClient, wanted: Wanted, path: string, options: DownloadOptions = {}): Promise<void> {
  const part = join(dirname(path), `.${basename(path).slice(0, 128)}.${wanted.digest.slice(0, PART_DIGITS)}.part`);
  try {
    // Twice, since what an earlier attempt left may be wrong.
    if (!(await fill(client, wanted, part, options)) && !(await fill(client, wanted, part, options))) {
      throw new DtkdError('CONTENT_ALTERED', `the content of ${path} that arrived differs from what ${wanted.node} read`, {
        next: 'Copy it again.',
      });
    }
    await chmod(part, wanted.mode & PERMISSIONS);
    await rename(part, path);
  } catch (error) {
    if (error instanceof DtkdError) throw error;
    if (textAt(error, 'code') === 'ECONNRESET') throw brokenOff(error);
    throw cannotWrite(path, error);
  }
}

/** True if the partial file is complete and correct; if it is wrong, it is removed. A broken connection leaves it for the next attempt. */
async function fill(client: ApiClient, wanted: Wanted, part: string, { onProgress }: DownloadOptions): Promise<boolean> {
  const hash = createHash('sha256');
  let done = await hashOf(part, hash);
  if (done < wanted.size) {
    const { node, size } = wanted;
    const answer = await getContent(client, wanted.digest, {
      at: { node, size },
      ...(done > 0 ? { from: done } : {}),
    });
    const file = await open(part, GO_ON, 0o600);
    try {
      for await (const chunk of answer) {
        if (!(chunk instanceof Uint8Array)) continue;
        hash.update(chunk);
        await file.writeFile(chunk);
        done += chunk.length;
        onProgress?.(done, size);
        if (done > size) break;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } else if (wanted.size === 0) await (await open(part, GO_ON, 0o600)).close();
  if (done < wanted.size) throw brokenOff(undefined);
  if (done === wanted.size && hash.digest('hex') === wanted.digest) return true;
  await rm(part, { force: true });
  return false;
}

function brokenOff(cause: unknown): DtkdError {
  return new DtkdError('DAEMON_UNREACHABLE', 'the daemon stopped in the middle of a file', {
    next: 'Run the command again: it continues from there.',
    cause,
  });
}

/** Hashes what is there already and returns its size. */
async function hashOf(path: string, hash: ReturnType<typeof createHash>): Promise<number> {
  if ((await stat(path).catch(() => undefined)) === undefined) return 0;
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    size += chunk.length;
  }
  return size;
}
