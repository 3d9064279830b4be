/**
 * Restores a node from a backup, first into a separate directory, which becomes the data directory once everything has been verified and
 * synced. Guarantees that a failure leaves nothing behind. Starts nothing.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';
import { syncDirectory } from '../disk/sync-directory.ts';
import { isFull, systemCode } from '../disk/system-error.ts';
import type { Kv } from '../store/kv.ts';
import { type BackupTaker, readArchive } from './archive-reader.ts';
import { RESTORING } from './contents.ts';
import { type BackupHeader, type BackupManifest, invalid } from './format.ts';
import { restoredRow } from './restored.ts';

const PRIVATE_DIRECTORY = 0o700;
/** The database. Put in place last, since a directory without it is no node. */
const DATABASE = 'db';
const NODE_NAME_ROW = 'a/node-name';

export interface RestorePorts {
  /** Opens the database in a directory, creating it if there is none. */
  openDatabase(directory: string): Promise<Kv>;
  /** Gives the database new versions. */
  rebase(kv: Kv): Promise<void>;
}

export interface RestoreResult {
  header: BackupHeader;
  manifest: BackupManifest;
  files: number;
}

/** Verifies a backup without writing anything. Errors: as readArchive. */
export async function checkBackup(source: AsyncIterable<Uint8Array>): Promise<RestoreResult> {
  const taker = new Looking();
  const read = await readArchive(source, taker);
  taker.finish(read.header);
  return { ...read, files: taker.files };
}

/** Restores a backup into a directory. Errors: ALREADY_EXISTS, DATA_LOCKED, DATA_UNWRITABLE, DISK_FULL, and those of readArchive. */
export async function restoreBackup(
  source: AsyncIterable<Uint8Array>,
  directory: string,
  { alone, signal }: { alone: boolean; signal: AbortSignal },
  ports: RestorePorts,
): Promise<RestoreResult> {
  try {
    const empty = await assertFree(directory);
    const place = await makePlace(directory, empty);
    const result = await fill(source, place.at, { alone, signal }, ports).catch(async (error: unknown) => {
      await rm(place.at, { recursive: true, force: true });
      throw error;
    });
    await place.settle().catch(async (error: unknown) => {
      await place.undo();
      throw error;
    });
    return result;
  } catch (error) {
    throw fileError(error, directory);
  }
}

async function fill(
  source: AsyncIterable<Uint8Array>,
  at: string,
  { alone, signal }: { alone: boolean; signal: AbortSignal },
  { openDatabase, rebase }: RestorePorts,
): Promise<RestoreResult> {
  const database = join(at, DATABASE);
  const kv = await openDatabase(database);
  const taker = new Putting(at, kv, signal);
  let result: RestoreResult;
  try {
    const read = await readArchive(source, taker);
    taker.finish(read.header);
    await rebase(kv);
    await kv.batch([{ type: 'put', ...restoredRow(read.header, alone) }], { sync: true });
    result = { ...read, files: taker.files };
  } finally {
    await kv.close();
  }
  // opening the database checks the format of the rows
  await (await openDatabase(database)).close();
  await taker.sync();
  return result;
}

/** Checks what the format alone does not: that the database belongs to the node in the header. */
class Looking implements BackupTaker {
  files = 0;
  #node: string | undefined;

  async header(_header: BackupHeader): Promise<void> {}

  async rows(rows: Parameters<BackupTaker['rows']>[0]): Promise<void> {
    for (const [key, value] of rows) if (key === NODE_NAME_ROW) this.#node = Buffer.from(value).toString('utf8');
  }

  async directory(_path: string, _mode: number): Promise<void> {}

  async file(_path: string, _mode: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    this.files += 1;
    for await (const _chunk of bytes);
  }

  finish({ node }: BackupHeader): void {
    if (this.#node !== node) throw invalid('its database does not belong to the node that it names');
  }
}

/** Writes the contents into a directory. */
class Putting extends Looking {
  readonly #at: string;
  readonly #kv: Kv;
  readonly #signal: AbortSignal;
  readonly #directories: string[] = [];

  constructor(at: string, kv: Kv, signal: AbortSignal) {
    super();
    this.#at = at;
    this.#kv = kv;
    this.#signal = signal;
  }

  override async rows(rows: Parameters<BackupTaker['rows']>[0]): Promise<void> {
    this.#signal.throwIfAborted();
    await super.rows(rows);
    // the rows are views of a part whose memory is released
    const puts = rows.map(([key, value]) => ({ type: 'put' as const, key, value: Uint8Array.from(value) }));
    await this.#kv.batch(puts, { sync: false });
  }

  override async directory(path: string, mode: number): Promise<void> {
    // the owner must be able to put files into it
    await mkdir(join(this.#at, path), { mode: mode | PRIVATE_DIRECTORY });
    this.#directories.push(path);
  }

  override async file(path: string, mode: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    this.files += 1;
    const file = await open(join(this.#at, path), 'wx', mode);
    try {
      for await (const chunk of bytes) {
        this.#signal.throwIfAborted();
        await file.writeFile(chunk);
      }
      // regardless of the umask
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async sync(): Promise<void> {
    for (const path of this.#directories.reverse()) await syncDirectory(join(this.#at, path));
    await syncDirectory(join(this.#at, DATABASE));
    await syncDirectory(this.#at);
  }
}

/** Where files are assembled, and how they come into place. */
interface Place {
  at: string;
  settle(): Promise<void>;
  /** Removes everything, including what is already in place. */
  undo(): Promise<void>;
}

async function makePlace(directory: string, empty: boolean): Promise<Place> {
  if (empty) return placeInside(directory);
  const parent = dirname(directory);
  const at = join(parent, `.${basename(directory).slice(0, 128)}.restoring-${randomBytes(4).toString('hex')}`);
  await mkdir(parent, { recursive: true });
  await mkdir(at, { mode: PRIVATE_DIRECTORY });
  return {
    at,
    settle: async () => {
      await rename(at, directory);
      await syncDirectory(parent);
    },
    undo: () => rm(at, { recursive: true, force: true }),
  };
}

/**
 * Restores into an existing empty directory, which keeps its owner (one made for a service, or a mount): moves the entries in one by one,
 * the database last. Until then no daemon starts in it.
 */
async function placeInside(directory: string): Promise<Place> {
  const at = join(directory, RESTORING);
  await mkdir(at, { mode: PRIVATE_DIRECTORY });
  const moved: string[] = [];
  return {
    at,
    settle: async () => {
      // something may have been put there meanwhile
      const [other] = (await readdir(directory)).filter((name) => name !== RESTORING);
      if (other !== undefined) throw occupied(directory);
      const names = (await readdir(at)).filter((name) => name !== DATABASE);
      for (const name of [...names, DATABASE]) {
        await rename(join(at, name), join(directory, name));
        moved.push(name);
      }
      await syncDirectory(directory);
      await rmdir(at);
      await syncDirectory(directory);
    },
    undo: async () => {
      for (const name of [...moved.reverse(), RESTORING]) await rm(join(directory, name), { recursive: true, force: true });
    },
  };
}

/** True if there is an empty directory, false if there is none. Errors: ALREADY_EXISTS, DATA_LOCKED. */
async function assertFree(directory: string): Promise<boolean> {
  const found = await stat(directory).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return false;
  const names = found.isDirectory() ? await readdir(directory) : ['.'];
  if (names.length === 0) return true;
  const pid = await runningIn(directory);
  if (pid !== undefined) {
    throw new DtkdError('DATA_LOCKED', `${directory} is in use by the daemon with process id ${pid}`, {
      next: 'Stop that daemon and move its directory away; or restore into another one with --data.',
    });
  }
  throw occupied(directory);
}

function occupied(directory: string): DtkdError {
  return new DtkdError('ALREADY_EXISTS', `${directory} is not empty`, {
    next: 'Move it away, or restore into another directory with --data. A restore replaces nothing.',
  });
}

async function runningIn(directory: string): Promise<number | undefined> {
  const endpoint = await readFile(join(directory, 'endpoint.json'), 'utf8').catch(() => '');
  const pid = Number(/"pid":\s*(\d{1,10})/.exec(endpoint)?.[1] ?? Number.NaN);
  if (Number.isNaN(pid)) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return systemCode(error) === 'EPERM' ? pid : undefined;
  }
}

function fileError(error: unknown, directory: string): unknown {
  if (error instanceof DtkdError) return error;
  const code = systemCode(error);
  // the directory was made meanwhile
  if (code === 'ENOTEMPTY' || code === 'EEXIST') return occupied(directory);
  if (isFull(error)) {
    return new DtkdError('DISK_FULL', `there is no room for the backup under ${dirname(directory)}`, {
      next: 'Free some space.',
      cause: error,
    });
  }
  if (code === undefined) return error;
  return new DtkdError('DATA_UNWRITABLE', `${directory} cannot be created or written: ${code}`, {
    next: 'Give a directory that this user may write with --data.',
    cause: error,
  });
}
