/**
 * The key-value port over LevelDB. Owns the database directory, its lock and its format version. Guarantees that a failed batch has no
 * effect, even after the database is reopened. After a failed write LevelDB's log is in an unknown state (a torn record in the middle would
 * hide later ones), so the database is reopened before the next batch, and a failed batch that did reach the disk is undone. Does not know
 * what the rows mean.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { DtkdError } from '../../../protocol/errors.ts';
import { DEFAULT_PAGE, type Kv, type KvOp, type KvRange, type KvSnapshot } from './kv.ts';
import { refuseWithoutCurrent } from './level-files.ts';
import { isNotOpen, storageError } from './storage-error.ts';

/**
 * Version of the on-disk format. A newer one is refused. Format 2 added indexes, which a daemon that knows only format 1 would not
 * maintain. The object store builds missing indexes, so a database of format 1 needs no other migration.
 */
const FORMAT_VERSION = 2;
const OLDEST_FORMAT = 1;
const FORMAT_KEY = 'm/format';

/** Bytes of uncompressed blocks cached: a few thousand objects. Most reads are of the few objects that change. */
const BLOCK_CACHE_BYTES = 4 * 1024 * 1024;
/** Bytes of log before a table is written. Small, so that an idle daemon needs little memory and opening stays quick. */
const WRITE_BUFFER_BYTES = 2 * 1024 * 1024;
/** Disk space that reopening may need: the log becomes a table, beside a new manifest and log. */
const REOPEN_BYTES = 2 * WRITE_BUFFER_BYTES;
/** The rows that undo a batch go into the log, and from there into a table. */
const UNDO_COPIES = 2;
/**
 * Rows and bytes that an iterator fetches from native code at once. The default of 16 KiB would take a thread hop for every few objects.
 * classic-level keeps the last fetch, invisible to V8, until the closed iterator is collected; so a walk through many pages must not fetch
 * too much at a time.
 */
const TRIP_ROWS = 128;
const TRIP_BYTES = 128 * 1024;
/** Page size in which the keys of a `clear` are collected. */
const CLEAR_PAGE = 1000;
/** The most keys of one read: bounds what is in memory at once. */
const READ_TOGETHER = 128;
const NOTHING = new Uint8Array(0);

type Db = Level<string, Uint8Array>;
/** Fails if the disk has no room for this many bytes. */
type Probe = (bytes: number) => Promise<void>;
type RowOp = Exclude<KvOp, { type: 'clear' }>;

class LevelKv implements Kv {
  readonly #db: Db;
  readonly #directory: string;
  readonly #probe: Probe;
  /** The last batch; batches run one after another. */
  #writes: Promise<unknown> = Promise.resolve();
  /** The reopening in progress, for which reads wait. */
  #reopening: Promise<void> | undefined;
  /** The rows that undo the failed batch, until the database has been reopened. */
  #undo: RowOp[] | undefined;
  /** True from the start of a reopening until the failed batch has been undone. Nothing is read meanwhile, since that batch might show. */
  #unclean = false;
  #closed = false;
  #asked: { key: string; resolve: (value: Uint8Array | undefined) => void; reject: (error: unknown) => void }[] = [];
  #reading = false;

  constructor(db: Db, directory: string, probe: Probe) {
    this.#db = db;
    this.#directory = directory;
    this.#probe = probe;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
    this.#asked.push({ key, resolve, reject });
    if (!this.#reading) {
      this.#reading = true;
      // requests that arrive on other sockets in this turn join the read
      setImmediate(() => void this.#readAsked());
    }
    return promise;
  }

  async page(range: KvRange): Promise<[string, Uint8Array][]> {
    return this.#guard(() => this.#read(() => this.#page(range)));
  }

  snapshot(): KvSnapshot {
    if (this.#unclean && !this.#closed) {
      this.#reopen().catch(() => {});
      throw new DtkdError('UNAVAILABLE', 'the store is being opened again', { next: 'Try again in a moment.' });
    }
    try {
      const snapshot = this.#db.snapshot();
      return {
        page: (range) => this.#guard(() => this.#page(range, snapshot)),
        getMany: (keys) => this.#guard(() => this.#db.getMany([...keys], { snapshot })),
        close: () => snapshot.close(),
      };
    } catch (error) {
      throw storageError(error, this.#directory);
    }
  }

  batch(ops: readonly KvOp[], options: { sync: boolean }): Promise<void> {
    const turn = this.#writes.then(() => this.#guard(() => this.#batch(ops, options)));
    this.#writes = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writes;
    await this.#reopening?.catch(() => {});
    await this.#db.close();
  }

  /**
   * Reads the requested keys in groups. A hop to native code and its thread costs more than the read itself, so requests made during one
   * read share the next.
   */
  async #readAsked(): Promise<void> {
    while (this.#asked.length > 0) {
      const asked = this.#asked.splice(0, READ_TOGETHER);
      try {
        const values = await this.#guard(() => this.#read(() => this.#db.getMany(asked.map(({ key }) => key))));
        asked.forEach(({ resolve }, index) => {
          resolve(values[index]);
        });
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#reading = false;
  }

  /** Reads, and repeats the read if a reopening closed the database meanwhile. */
  async #read<T>(read: () => Promise<T>): Promise<T> {
    await this.#opened();
    try {
      return await read();
    } catch (error) {
      if (!isNotOpen(error) || this.#closed) throw error;
      await this.#opened();
      return await read();
    }
  }

  async #guard<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new DtkdError('UNAVAILABLE', 'the store is closed');
    try {
      return await run();
    } catch (error) {
      throw storageError(error, this.#directory);
    }
  }

  async #page({ gte, lt, limit = DEFAULT_PAGE, reverse = false, keysOnly = false }: KvRange, snapshot?: ReturnType<Db['snapshot']>) {
    if (limit <= 0) return [];
    const range = { gte, lt, limit, reverse, highWaterMarkBytes: TRIP_BYTES, ...(snapshot === undefined ? {} : { snapshot }) };
    if (!keysOnly) return readAll(this.#db.iterator(range), limit);
    return (await readAll(this.#db.keys(range), limit)).map((key): [string, Uint8Array] => [key, NOTHING]);
  }

  async #batch(ops: readonly KvOp[], { sync }: { sync: boolean }): Promise<void> {
    await this.#recover();
    const rows: RowOp[] = [];
    for (const op of ops) if (op.type === 'clear') await this.#expand(op, rows);
    for (const op of ops) if (op.type !== 'clear') rows.push(op);
    if (rows.length === 0) return;
    try {
      await this.#db.batch(rows, { sync });
    } catch (error) {
      // LevelDB applies a batch in memory only after writing its log, so reads still return the previous values.
      this.#undo = [];
      this.#undo = await this.#inverse(rows);
      throw error;
    }
  }

  async #expand({ gte, lt }: { gte: string; lt: string }, into: RowOp[]): Promise<void> {
    let from = gte;
    for (;;) {
      const keys = await readAll(this.#db.keys({ gte: from, lt, limit: CLEAR_PAGE }), CLEAR_PAGE);
      for (const key of keys) into.push({ type: 'del', key });
      const last = keys.at(-1);
      if (keys.length < CLEAR_PAGE || last === undefined) return;
      from = `${last}\0`;
    }
  }

  async #inverse(rows: readonly RowOp[]): Promise<RowOp[]> {
    const keys = [...new Set(rows.map((row) => row.key))];
    const values = await this.#db.getMany(keys);
    return keys.map((key, index): RowOp => {
      const value = values[index];
      return value === undefined ? { type: 'del', key } : { type: 'put', key, value };
    });
  }

  async #recover(): Promise<void> {
    if (this.#undo === undefined) return;
    await this.#probe(REOPEN_BYTES + UNDO_COPIES * bytesOf(this.#undo));
    await this.#reopen();
  }

  async #opened(): Promise<void> {
    if (this.#reopening !== undefined || this.#unclean || this.#db.status !== 'open') await this.#reopen();
  }

  #reopen(): Promise<void> {
    const run = async () => {
      this.#unclean = true;
      if (this.#db.status === 'open') await this.#db.close();
      await this.#db.open();
      if (this.#undo !== undefined && this.#undo.length > 0) await this.#db.batch(this.#undo, { sync: true });
      this.#undo = undefined;
      this.#unclean = false;
    };
    this.#reopening ??= run().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }
}

/** Checks for room to reopen the database: closing it without that would stop reads, too. */
function probeOf(directory: string): Probe {
  const path = join(directory, 'room.tmp');
  return async (bytes) => {
    try {
      await writeFile(path, Buffer.alloc(bytes, 0x55), { flush: true });
    } finally {
      await rm(path, { force: true });
    }
  };
}

function bytesOf(rows: readonly RowOp[]): number {
  return rows.reduce((sum, row) => sum + row.key.length + (row.type === 'put' ? row.value.length : 0), 0);
}

/** Opens the database in `directory`, making it if need be. Errors: DATA_LOCKED, DATA_UNWRITABLE, DATA_CORRUPT, DISK_FULL, FORMAT_TOO_NEW. */
export async function openLevel(directory: string, probe: Probe = probeOf(directory)): Promise<Kv> {
  const db: Db = new Level(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    cacheSize: BLOCK_CACHE_BYTES,
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await refuseWithoutCurrent(directory);
    await db.open();
    const format = await db.get(FORMAT_KEY);
    if (format !== undefined) checkFormat(Buffer.from(format).toString('utf8'), directory);
    if (format === undefined || Buffer.from(format).toString('utf8') !== String(FORMAT_VERSION)) {
      await db.batch([{ type: 'put', key: FORMAT_KEY, value: Buffer.from(String(FORMAT_VERSION)) }], { sync: true });
    }
  } catch (error) {
    await db.close().catch(() => {});
    throw storageError(error, directory);
  }
  return new LevelKv(db, directory, probe);
}

/** Reads the rest of an iterator, up to `limit` entries, and closes it. */
async function readAll<T>(iterator: { nextv(size: number): Promise<T[]>; close(): Promise<void> }, limit: number): Promise<T[]> {
  try {
    const all: T[] = [];
    while (all.length < limit) {
      const part = await iterator.nextv(Math.min(limit - all.length, TRIP_ROWS));
      if (part.length === 0) break;
      all.push(...part);
    }
    return all;
  } finally {
    await iterator.close();
  }
}

function checkFormat(format: string, directory: string): void {
  const version = /^\d{1,9}$/.test(format) ? Number(format) : Number.NaN;
  if (version >= OLDEST_FORMAT && version <= FORMAT_VERSION) return;
  if (version > FORMAT_VERSION) {
    throw new DtkdError(
      'FORMAT_TOO_NEW',
      `the data in ${directory} has format ${version}; this dtkd knows formats up to ${FORMAT_VERSION}`,
      {
        next: 'Run the newer dtkd that wrote it, or choose another directory with --data.',
      },
    );
  }
  throw new DtkdError('INTERNAL', `the data in ${directory} is not dtkd's: its format row is not a version`, {
    next: 'Choose another directory with --data.',
  });
}
