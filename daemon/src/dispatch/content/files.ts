/** The files of `cp` at a target: written atomically, and read as a consistent snapshot. */
import { createHash, randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { DtkdError } from '../../../../protocol/errors.ts';
import { syncDirectory } from '../../disk/sync-directory.ts';
import type { Content } from '../dispatch.types.ts';
import { fileError } from './file-error.ts';

/** Bytes per read. */
const COPY_BYTES = 1024 * 1024;

export interface FileToPut {
  /** Path of a complete file of the content store. */
  source: string;
  /** The absolute destination. Its directory must exist. */
  path: string;
  mode: number;
  digest: string;
  size: number;
}

/**
 * Puts a file in place: writes it beside its destination, durable and with its mode, and renames it, so that nobody ever sees half of it.
 * Replaces an existing file and keeps its owner where possible. Does not follow symbolic links. Errors: INVALID, NOT_FOUND, FORBIDDEN,
 * CONTENT_ALTERED, DISK_FULL.
 */
export async function putFile({ source, path, mode, digest, size }: FileToPut): Promise<void> {
  if (!isAbsolute(path)) throw new DtkdError('INVALID', `${path} is not an absolute path`, { next: 'Give a path that begins with /.' });
  const before = await replaced(path);
  const beside = join(dirname(path), `.${basename(path).slice(0, 128)}.${randomBytes(6).toString('hex')}.dtkd`);
  try {
    const file = await open(beside, 'wx', 0o600);
    try {
      await copyInto(file, source, { digest, size });
      if (before !== undefined) await keepOwner(file, before);
      // After the owner, because changing that clears set-user-id bits. Until now the file is incomplete, and closed to others.
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await unlink(beside).catch(() => undefined);
    throw fileError(error, path);
  }
}

/** Returns what is at the destination; undefined if nothing is. */
async function replaced(path: string): Promise<Stats | undefined> {
  if (path.endsWith('/')) throw isDirectory(path);
  let there: Stats;
  try {
    there = await lstat(path);
  } catch (error) {
    const coded = fileError(error, path);
    if (coded.code !== 'NOT_FOUND') throw coded;
    await assertDirectory(dirname(path));
    return undefined;
  }
  if (there.isFile()) return there;
  if (there.isDirectory()) throw isDirectory(path);
  throw new DtkdError('INVALID', `${path} is ${there.isSymbolicLink() ? 'a symbolic link' : 'not a regular file'} and was not replaced`, {
    next: 'Name the file itself, or remove what is there.',
  });
}

async function assertDirectory(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isDirectory()) return;
    // A link to a directory will do.
    await (await open(join(path, '.'), constants.O_RDONLY | constants.O_DIRECTORY)).close();
  } catch (error) {
    const coded = fileError(error, path);
    if (coded.code !== 'NOT_FOUND') throw coded;
    throw new DtkdError('NOT_FOUND', `there is no directory ${path}`, { next: 'Create it first.', cause: error });
  }
}

function isDirectory(path: string): DtkdError {
  return new DtkdError('INVALID', `${path} is a directory`, { next: 'End it with / to put the file into it under its own name.' });
}

async function copyInto(file: FileHandle, source: string, { digest, size }: { digest: string; size: number }): Promise<void> {
  const hash = createHash('sha256');
  let copied = 0;
  const from = await open(source, 'r');
  try {
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(COPY_BYTES, size)));
    for (;;) {
      const { bytesRead } = await from.read(buffer, 0, buffer.length, copied);
      if (bytesRead === 0) break;
      const part = buffer.subarray(0, bytesRead);
      hash.update(part);
      await file.writeFile(part);
      copied += bytesRead;
    }
  } finally {
    await from.close();
  }
  if (copied !== size || hash.digest('hex') !== digest) {
    throw new DtkdError('CONTENT_ALTERED', 'the content differs from what was sent', { next: 'Copy it again.' });
  }
}

/**
 * A daemon that runs as root keeps the previous owner. Another daemon does not, even if it may change owners in order to give files to
 * the users of its commands: a file that somebody copied here would pass for that user's own, and the daemon could not set its mode any
 * more.
 */
async function keepOwner(file: FileHandle, before: Stats): Promise<void> {
  const now = await file.stat();
  if (now.uid === before.uid && now.gid === before.gid) return;
  if (process.geteuid?.() !== 0 && now.uid !== before.uid) return;
  await file.chown(before.uid, before.gid).catch(() => undefined);
}

/**
 * Takes a regular file into the content store. Refuses a file that changes while it is read. Errors: INVALID, NOT_FOUND, FORBIDDEN,
 * CONFLICT, TOO_LARGE, DISK_FULL, TIMEOUT by the signal.
 */
export async function takeFile(
  path: string,
  content: Pick<Content, 'take'>,
  { limit, signal }: { limit: number; signal?: AbortSignal },
): Promise<{ digest: string; size: number; mode: number }> {
  let file: FileHandle;
  try {
    // Non-blocking, so as not to wait for the other end of a pipe.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fileError(error, path);
  }
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) {
      const what = before.isDirectory() ? 'a directory' : 'not a regular file';
      throw new DtkdError('INVALID', `${path} is ${what}`, { next: 'Only regular files are copied; pack a directory first.' });
    }
    const taken = await content.take(chunksOf(file, signal), { limit });
    const after = await file.stat({ bigint: true });
    const same = after.size === before.size && after.mtimeNs === before.mtimeNs && after.ctimeNs === before.ctimeNs;
    if (!same || BigInt(taken.size) !== before.size) {
      throw new DtkdError('CONFLICT', `${path} changed while it was read`, { next: 'Copy it again while nothing writes to it.' });
    }
    return { ...taken, mode: Number(before.mode & 0o777n) };
  } catch (error) {
    throw fileError(error, path);
  } finally {
    await file.close();
  }
}

async function* chunksOf(file: FileHandle, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  for (;;) {
    if (signal?.aborted === true) throw new DtkdError('TIMEOUT', 'reading the file took too long');
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
