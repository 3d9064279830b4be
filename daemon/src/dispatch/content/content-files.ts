/**
 * Files on disk, named by their SHA-256: `AB/CDEF…` for complete ones, `partial/` for those being fetched, `incoming/` for those being
 * taken. A file under its digest is complete and durable. Knows nothing of who may have it.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digest as digestText } from '../../../../protocol/definitions/code.ts';
import { syncDirectory } from '../../disk/sync-directory.ts';
import { systemCode } from '../../disk/system-error.ts';
import { fileError } from './file-error.ts';
import type { Growing } from './growing-bytes.ts';
import { KEEP_UNUSED_MS } from './limits.ts';
import { PieceFile, type PiecePlan } from './piece-file.ts';

const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;
/** Suffix of a file that is fetched in pieces. */
const PIECES = '.pieces';
/** Name of a file that is being fetched: its digest, and for one in pieces a digest of what was said about them. */
const PARTIAL = /^[0-9a-f]{64}(-[0-9a-f]{32}\.pieces)?$/;
const FAN_OUT = /^[0-9a-f]{2}$/;

/** A file that is being written. Its bytes are hashed as they come. */
export class GrowingFile implements Growing {
  readonly path: string;
  readonly #handle: FileHandle;
  #hash: Hash;
  #size: number;

  constructor(path: string, handle: FileHandle, hash: Hash, size: number) {
    this.path = path;
    this.#handle = handle;
    this.#hash = hash;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    let written = 0;
    while (written < chunk.length) {
      const { bytesWritten } = await this.#handle.write(chunk, written, chunk.length - written, this.#size + written);
      written += bytesWritten;
    }
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  async reset(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.#size = 0;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }
}

/** A file with no bytes missing. */
type Finished = Pick<GrowingFile | PieceFile, 'path' | 'sync' | 'close'>;

export class ContentFiles {
  readonly #directory: string;
  readonly #partial: string;
  readonly #incoming: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.#partial = join(directory, 'partial');
    this.#incoming = join(directory, 'incoming');
  }

  /** The path of a complete file. */
  path(digest: string): string {
    return join(this.#directory, digest.slice(0, 2), digest.slice(2));
  }

  /** Creates the directories and removes what was never finished. Returns the complete files with their sizes. */
  async open(now: number): Promise<Map<string, number>> {
    try {
      for (const path of [this.#directory, this.#partial, this.#incoming]) await mkdir(path, { recursive: true, mode: PRIVATE_DIRECTORY });
      for (const name of await readdir(this.#incoming)) await rm(join(this.#incoming, name), { force: true, recursive: true });
      await this.removeOldPartials(now);
      return await this.#scan();
    } catch (error) {
      throw fileError(error, this.#directory);
    }
  }

  /** Removes partial files that have not grown for long. */
  async removeOldPartials(now: number): Promise<void> {
    for (const name of await readdir(this.#partial)) {
      const path = join(this.#partial, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }));
      if (mtimeMs + KEEP_UNUSED_MS <= now || !PARTIAL.test(name)) await rm(path, { force: true, recursive: true });
    }
  }

  async #scan(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const head of await readdir(this.#directory)) {
      if (!FAN_OUT.test(head)) continue;
      for (const tail of await readdir(join(this.#directory, head))) {
        const { data } = digestText.safeParse(head + tail);
        if (data !== undefined) found.set(data, (await stat(this.path(data))).size);
      }
    }
    return found;
  }

  /** Creates a file whose digest is not known yet. */
  async begin(): Promise<GrowingFile> {
    const path = join(this.#incoming, randomBytes(12).toString('hex'));
    return new GrowingFile(path, await open(path, 'wx', PRIVATE_FILE), createHash('sha256'), 0);
  }

  /** Opens a file that is fetched in pieces, with those that are already there. */
  async resumePieces(name: string, plan: PiecePlan): Promise<PieceFile> {
    const path = join(this.#partial, name + PIECES);
    const file = new PieceFile(path, await openToChange(path), plan);
    try {
      await file.look();
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Opens a file that is being fetched, with what is already there. */
  async resume(digest: string): Promise<GrowingFile> {
    const path = join(this.#partial, digest);
    const handle = await openToChange(path);
    const hash = createHash('sha256');
    let size = 0;
    try {
      for await (const chunk of createReadStream(path)) {
        hash.update(chunk);
        size += chunk.length;
      }
      return new GrowingFile(path, handle, hash, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Moves a finished file to the name of its digest, durably, and closes it. */
  async finish(file: Finished, digest: string): Promise<void> {
    const path = this.path(digest);
    await file.sync();
    await file.close();
    await mkdir(dirname(path), { recursive: true, mode: PRIVATE_DIRECTORY });
    await rename(file.path, path);
    await syncDirectory(dirname(path));
    await syncDirectory(this.#directory);
  }

  /** Closes a file and removes it. */
  async discard(file: Finished): Promise<void> {
    await file.close();
    await unlink(file.path).catch(() => undefined);
  }

  async remove(digest: string): Promise<void> {
    await unlink(this.path(digest)).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error;
    });
  }

  /** Size of a complete file in bytes; undefined if it is not there. */
  async size(digest: string): Promise<number | undefined> {
    try {
      return (await stat(this.path(digest))).size;
    } catch {
      return undefined;
    }
  }
}

/** Opens a file for changes, without truncating it. Creates it if needed. */
async function openToChange(path: string): Promise<FileHandle> {
  const made = await open(path, 'a', PRIVATE_FILE);
  await made.close();
  return open(path, 'r+');
}
