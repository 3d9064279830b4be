/**
 * Backups of a running node. Owns the directory `.backup` in the data directory, where files are held while they are sent. Guarantees that
 * a backup is one state: the database at one moment, with at least all files that it refers to. Everything acknowledged before the request
 * is in it. Neither keeps nor encrypts backups.
 */
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseNodeName } from '../../../protocol/ids.ts';
import { isFull, isMissing } from '../disk/system-error.ts';
import type { KvSnapshot } from '../store/kv.ts';
import type { Entry } from './archive-writer.ts';
import type { BackupOptions, Backups } from './backup.types.ts';
import { rankInRepository, STAGE, treatmentInRepository, treatmentOf } from './contents.ts';
import { BACKUP_FORMAT, type BackupHeader, FILES_PREFIX, nameFault, partName, ROWS_PART_BYTES } from './format.ts';
import { encodeRow } from './rows.ts';
import { Stage, type Staged } from './staging.ts';

/** Rows read at a time. A row may have a quarter of a megabyte. */
const PAGE_ROWS = 64;
/** Bytes of a file read at a time. Hashing them takes a fraction of a millisecond. */
const CHUNK_BYTES = 256 * 1024;
/** A backup ends if its reader takes nothing for this long, since deleted data stays on the disk meanwhile. Milliseconds. */
const STALL_MS = 120_000;
/** Attempts to hold files while some are being removed or replaced. */
const ATTEMPTS = 5;
/** Sorts after every key, since keys begin with an ASCII character. */
const END_OF_KEYS = '\u{10FFFF}';
const PRIVATE_FILE = 0o600;

export function createBackups(options: BackupOptions): Backups {
  return new DataBackups(options);
}

class DataBackups implements Backups {
  readonly #options: BackupOptions;
  readonly #stage: Stage;
  #running = false;

  constructor(options: BackupOptions) {
    this.#options = options;
    this.#stage = new Stage(join(options.directory, STAGE));
  }

  async tidy(): Promise<void> {
    await this.#stage.close();
  }

  async make(signal: AbortSignal): Promise<{ id: string; bytes: AsyncIterable<Uint8Array> }> {
    if (this.#running) throw new DtkdError('CONFLICT', 'a backup of this node is being made already', { next: 'Wait until it is done.' });
    this.#running = true;
    const { node, program, now } = this.#options;
    const about: BackupHeader = {
      format: BACKUP_FORMAT,
      id: randomBytes(16).toString('hex'),
      program,
      node: parseNodeName(node.name),
      createdAt: now(),
    };
    try {
      const snapshot = await this.#hold(signal);
      return { id: about.id, bytes: this.#bytes(about, snapshot, signal) };
    } catch (error) {
      await this.#end();
      throw fileError(error);
    }
  }

  async #end(): Promise<void> {
    await this.#stage
      .close()
      .catch((err: unknown) => this.#options.logger.warn({ err }, 'Files that were held for a backup could not be removed'));
    this.#running = false;
  }

  /** Holds the files, and a snapshot of the database in between. */
  async #hold(signal: AbortSignal): Promise<KvSnapshot> {
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      await this.#stage.open();
      let snapshot: KvSnapshot | undefined;
      try {
        const { directory, kv, repositories, audit } = this.#options;
        const reading = { treatment: treatmentOf };
        // once before the snapshot and once after it: a file that the rows name existed before, or was added in between
        await this.#stage.tree(directory, '', reading);
        const names = await repositories.names();
        snapshot = kv.snapshot();
        await this.#stage.tree(directory, '', reading);
        await this.#repositories(names);
        const files = await audit();
        await this.#stage.tree(join(directory, 'audit'), 'audit', { treatment: () => 'skip' });
        for (const { name, bytes } of files) {
          await this.#stage.file(join(directory, 'audit', name), `audit/${name}`, { treatment: 'link', size: bytes });
        }
        return snapshot;
      } catch (error) {
        await snapshot?.close().catch(() => undefined);
        // a file was removed while it was being held
        if (attempt >= ATTEMPTS || !isGone(error)) throw error;
      }
    }
  }

  /** Holds the repositories that existed before the snapshot, and those made since. */
  async #repositories(before: readonly string[]): Promise<void> {
    const { directory, repositories } = this.#options;
    const root = join(directory, 'instances');
    await this.#stage.tree(root, 'instances', {
      treatment: (path) => (path === '.uninstalled' || path.startsWith('.uninstalled/') ? 'link' : 'skip'),
    });
    const names = new Set([...before, ...(await repositories.names())]);
    for (const name of names) {
      const path = `instances/${name}`;
      await repositories.alone(name, async (from) => {
        for (let attempt = 1; ; attempt++) {
          try {
            return await this.#stage.tree(from, path, { treatment: treatmentInRepository, rank: rankInRepository, whole: true });
          } catch (error) {
            // another git process is packing its objects
            if (attempt >= ATTEMPTS || !isGone(error)) throw error;
            await this.#stage.drop(path);
          }
        }
      });
    }
  }

  /**
   * The bytes of the backup. Releases everything when they have all been taken, when the reader stalls or aborts, and also if nobody ever
   * asks for the first byte.
   */
  #bytes(about: BackupHeader, snapshot: KvSnapshot, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const stalled = new AbortController();
    const watch = setTimeout(() => stalled.abort(), STALL_MS);
    watch.unref();
    const given = AbortSignal.any([signal, stalled.signal]);
    const end = once(async () => {
      clearTimeout(watch);
      await snapshot.close().catch(() => undefined);
      await this.#end();
    });
    given.addEventListener('abort', () => void end(), { once: true });
    if (given.aborted) void end();
    return this.#taken(about, snapshot, { given, taken: () => void watch.refresh(), end });
  }

  async *#taken(
    about: BackupHeader,
    snapshot: KvSnapshot,
    { given, taken, end }: { given: AbortSignal; taken(): void; end(): Promise<void> },
  ): AsyncGenerator<Uint8Array> {
    const { logger, now } = this.#options;
    let bytes = 0;
    try {
      // loaded with its library only when a backup is made
      const { writeArchive } = await import('./archive-writer.ts');
      if (given.aborted) throw givenUp();
      for await (const chunk of writeArchive(about, this.#entries(snapshot))) {
        if (given.aborted) throw givenUp();
        bytes += chunk.length;
        taken();
        yield chunk;
        await turn();
      }
      logger.info({ id: about.id, bytes, ms: now() - about.createdAt }, 'A backup was made');
    } catch (error) {
      logger.warn({ err: error, id: about.id }, 'A backup could not be made');
      throw fileError(error);
    } finally {
      await end();
    }
  }

  async *#entries(snapshot: KvSnapshot): AsyncGenerator<Entry, number> {
    let rows = 0;
    let part: Uint8Array[] = [];
    let size = 0;
    let number = 0;
    const whole = (): Entry => {
      const entry = { name: partName(number), type: 'file' as const, mode: PRIVATE_FILE, size, bytes: part };
      number += 1;
      part = [];
      size = 0;
      return entry;
    };
    for (let gte = '\0'; ; ) {
      const page = await snapshot.page({ gte, lt: END_OF_KEYS, limit: PAGE_ROWS });
      for (const row of page) {
        for (const piece of encodeRow(row)) {
          part.push(piece);
          size += piece.length;
        }
        rows += 1;
        if (size >= ROWS_PART_BYTES) yield whole();
      }
      const last = page.at(-1);
      if (last === undefined) break;
      gte = `${last[0]}\0`;
    }
    if (size > 0) yield whole();
    await snapshot.close();
    for (const staged of this.#stage.all()) {
      if (nameFault(staged.path) !== undefined) {
        this.#options.logger.warn({ path: staged.path }, 'A file has a name that a backup cannot hold, and is left out');
        continue;
      }
      const { type, mode, size: length } = staged;
      yield { name: FILES_PREFIX + staged.path, type, mode, size: length, bytes: type === 'file' ? this.#read(staged) : [] };
    }
    return rows;
  }

  async *#read(staged: Staged): AsyncGenerator<Uint8Array> {
    const file = await open(this.#stage.pathOf(staged), 'r');
    try {
      for (let at = 0; at < staged.size; ) {
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, staged.size - at));
        const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
        if (bytesRead === 0) {
          throw new DtkdError('UNAVAILABLE', `${staged.path} was cut while it was read`, { next: 'Make the backup again.' });
        }
        at += bytesRead;
        yield chunk.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }
}

function givenUp(): DtkdError {
  return new DtkdError('UNAVAILABLE', 'the backup was given up: nobody read its bytes');
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}

function isGone(error: unknown): boolean {
  if (error instanceof DtkdError) return error.code === 'NOT_FOUND';
  return isMissing(error);
}

function fileError(error: unknown): unknown {
  if (error instanceof DtkdError || !(error instanceof Error) || !('code' in error)) return error;
  if (isFull(error)) {
    return new DtkdError('DISK_FULL', 'there is no room in the data directory to hold files for a backup', {
      next: 'Free some space.',
      cause: error,
    });
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    const path = 'path' in error && typeof error.path === 'string' ? error.path : 'a file in the data directory';
    return new DtkdError('UNAVAILABLE', `${path} cannot be read, and a backup without it would be incomplete`, {
      next: 'Let the user that runs dtkd read it, or move it out of the data directory.',
      cause: error,
    });
  }
  if (isGone(error)) {
    return new DtkdError('UNAVAILABLE', 'files were removed again and again while the backup was being made', {
      next: 'Make it again.',
      cause: error,
    });
  }
  return error;
}
