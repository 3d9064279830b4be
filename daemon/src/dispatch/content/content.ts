/**
 * Stores bytes by their digest: modules, and files of `cp`. Owns `DATA/content` and the rows that say who may fetch what. Guarantees that
 * a file under its digest is complete and durable, that nobody fetches what was not allowed, and that everything stays within its share
 * of the disk. Does not know what the bytes mean, or which of this node's users may use them.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { CONTENT_PROTOCOL } from '../../../../protocol/orders/messages.ts';
import { Room } from '../../disk/room.ts';
import { DEFAULT_PAGE, type KvOp, prefixEnd } from '../../store/kv.ts';
import type { ContentOptions, ContentStore, PiecesWanted } from './content.types.ts';
import { ContentFiles, type GrowingFile } from './content-files.ts';
import { allowing, decodeEntry, type Entry, encodeEntry, isSpent, mayFetch, type Readers } from './entry.ts';
import { fetchInto } from './fetching.ts';
import { fileError } from './file-error.ts';
import { GrowingBytes } from './growing-bytes.ts';
import * as limits from './limits.ts';
import { diskFull, noRoom, shareTaken } from './no-room.ts';
import type { PieceFile } from './piece-file.ts';
import { PieceFlights } from './piece-flights.ts';
import { ContentServing } from './serving.ts';
import { FILE_BYTES, UserShares } from './user-shares.ts';

const PREFIX = 'b/';

/** A fetch in progress, and all who wait for it. */
interface Flight {
  prefer: { domain: string; key: string }[];
  waiting: number;
  controller: AbortController;
  done: Promise<void>;
  /** Resolves when the file is here, whichever way it came. */
  landed: PromiseWithResolvers<void>;
}

export function createContent(options: ContentOptions): ContentStore {
  return new DiskContent(options);
}

class DiskContent implements ContentStore {
  readonly #options: ContentOptions;
  readonly #files: ContentFiles;
  readonly #serving: ContentServing;
  readonly #capacity: number;
  readonly #room: Room;
  readonly #shares = new UserShares();
  readonly #entries = new Map<string, Entry>();
  readonly #flights = new Map<string, Flight>();
  readonly #pieces: PieceFlights;
  /** Bytes of complete files, and of growing ones. */
  #kept = 0;
  #growing = 0;
  /** The members that something is being fetched from into memory, one entry per fetch. */
  readonly #inMemory: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #evicting: Promise<void> | undefined;

  constructor(options: ContentOptions) {
    this.#options = options;
    this.#files = new ContentFiles(options.directory);
    this.#capacity = options.capacity ?? limits.DEFAULT_CONTENT_BYTES;
    this.#room = new Room(options.directory);
    this.#serving = new ContentServing({
      find: async (digest, from) => {
        const entry = this.#entries.get(digest);
        if (entry === undefined || !mayFetch(entry, from, options.now())) return undefined;
        const path = await this.path(digest);
        return path === undefined ? undefined : { path, size: entry.size };
      },
      logger: options.logger,
    });
    const { members, logger, now, restMs = limits.FIRST_REST_MS, takeOverMs = limits.TAKE_OVER_MS } = options;
    this.#pieces = new PieceFlights({
      files: this.#files,
      members,
      logger,
      now,
      patienceMs: options.patienceMs ?? limits.PIECE_PATIENCE_MS,
      restMs,
      takeOverMs,
      reserve: (bytes) => this.#reserve(bytes),
      giveBack: (bytes) => {
        this.#growing -= bytes;
      },
      keep: (file, digest) => this.#keep(file, digest),
    });
  }

  async start(): Promise<void> {
    const found = await this.#files.open(this.#options.now());
    const ops = await this.#readRows(found);
    // Files that were finished when an earlier daemon died before it could record them.
    for (const [digest, size] of found) if (!this.#entries.has(digest)) ops.push(this.#put(digest, this.#fresh(size)));
    if (ops.length > 0) await this.#options.rows.batch(ops, { sync: true });
    await this.sweep();
    this.#timer = setInterval(() => void this.#sweepQuietly(), limits.SWEEP_MS);
    this.#timer.unref();
    this.#options.members.handle(CONTENT_PROTOCOL, (stream, from) => this.#serving.serve(stream, from));
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#serving.close();
    const flights = [...this.#flights.values()];
    for (const { controller } of flights) controller.abort();
    await Promise.allSettled([this.#pieces.stop(), ...flights.map(({ done }) => done)]);
  }

  /** Loads the rows whose files exist. Returns the operations that remove the others. */
  async #readRows(found: ReadonlyMap<string, number>): Promise<KvOp[]> {
    const ops: KvOp[] = [];
    const lt = prefixEnd(PREFIX);
    for (let gte = PREFIX; ; ) {
      const page = await this.#options.rows.page({ gte, lt });
      for (const [key, value] of page) {
        const digest = key.slice(PREFIX.length);
        const entry = decodeEntry(value);
        if (entry === undefined || found.get(digest) !== entry.size) ops.push({ type: 'del', key });
        else this.#put(digest, entry);
      }
      const last = page.at(-1);
      if (page.length < DEFAULT_PAGE || last === undefined) return ops;
      gte = `${last[0]}\0`;
    }
  }

  #fresh(size: number): Entry {
    return { size, usedAt: this.#options.now(), members: 0, readers: new Map() };
  }

  /** Sets an entry in memory. Returns the operation that stores it. */
  #put(digest: string, entry: Entry): KvOp {
    this.#kept += entry.size - (this.#entries.get(digest)?.size ?? 0);
    this.#entries.set(digest, entry);
    return { type: 'put', key: PREFIX + digest, value: encodeEntry(entry) };
  }

  #drop(digest: string): KvOp {
    this.#kept -= this.#entries.get(digest)?.size ?? 0;
    this.#entries.delete(digest);
    this.#shares.drop(digest);
    return { type: 'del', key: PREFIX + digest };
  }

  size(digest: string): number | undefined {
    return this.#entries.get(digest)?.size;
  }

  counts(): { files: number; bytes: number } {
    return { files: this.#entries.size, bytes: this.#kept };
  }

  async path(digest: string): Promise<string | undefined> {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    if ((await this.#files.size(digest)) !== entry.size) {
      // Somebody removed files from the data directory.
      this.#options.logger.warn({ digest }, 'A file of the content directory is gone or has another length');
      await this.#options.rows.batch([this.#drop(digest)], { sync: false });
      return undefined;
    }
    this.#touch(digest, entry);
    return this.#files.path(digest);
  }

  #touch(digest: string, entry: Entry): void {
    const now = this.#options.now();
    const fresh = { ...entry, usedAt: now };
    this.#entries.set(digest, fresh);
    if (now - entry.usedAt < limits.USE_GRAIN_MS) return;
    this.#options.rows
      .batch([this.#put(digest, fresh)], { sync: false })
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'A use of content could not be written down'));
  }

  async take(
    source: AsyncIterable<Uint8Array>,
    { limit, user }: { limit: number; user?: string },
  ): Promise<{ digest: string; size: number }> {
    await this.#reserve(0, user);
    const file = await this.#guard(() => this.#files.begin());
    let reserved = 0;
    let ofUser = 0;
    const count = (bytes: number) => {
      if (user === undefined) return;
      this.#shares.add(user, bytes);
      ofUser += bytes;
    };
    try {
      count(FILE_BYTES);
      for await (const chunk of source) {
        if (file.size + chunk.length > limit) throw tooLarge(limit);
        await this.#reserve(chunk.length, user);
        reserved += chunk.length;
        count(chunk.length);
        await this.#guard(() => file.append(chunk));
      }
      const digest = file.digest();
      const { size } = file;
      const isNew = !this.#entries.has(digest);
      await this.#keep(file, digest);
      if (user !== undefined && isNew) {
        this.#shares.keep(user, ofUser, digest);
        ofUser = 0;
      }
      return { digest, size };
    } catch (error) {
      await this.#files.discard(file);
      throw error;
    } finally {
      this.#growing -= reserved;
      count(-ofUser);
    }
  }

  /** Turns a finished file into a kept one. */
  async #keep(file: GrowingFile | PieceFile, digest: string): Promise<void> {
    const known = this.#entries.get(digest);
    if (known !== undefined && (await this.path(digest)) !== undefined) {
      await this.#files.discard(file);
      return;
    }
    const { size } = file;
    await this.#guard(() => this.#files.finish(file, digest));
    const entry = this.#entries.get(digest) ?? this.#fresh(size);
    await this.#options.rows.batch([this.#put(digest, entry)], { sync: true });
    this.#flights.get(digest)?.landed.resolve();
  }

  async fetch(
    digest: string,
    { size, from, signal }: { size?: number; from?: { domain: string; key: string }; signal: AbortSignal },
  ): Promise<string> {
    const here = await this.path(digest);
    if (here !== undefined) return here;
    const flight = await this.#board(digest, size);
    if (from !== undefined) flight.prefer.push({ domain: from.domain, key: from.key });
    flight.waiting += 1;
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(late(digest));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      await Promise.race([promise, flight.done, flight.landed.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
      flight.waiting -= 1;
      if (flight.waiting === 0) flight.controller.abort();
    }
    return this.#files.path(digest);
  }

  async fetchPieces(wanted: PiecesWanted): Promise<string> {
    const here = await this.path(wanted.digest);
    if (here !== undefined) return here;
    if (wanted.size > this.#capacity) throw noRoom(this.#capacity);
    await this.#guard(() => this.#pieces.fetch(wanted));
    return this.#files.path(wanted.digest);
  }

  async bytes(
    digest: string,
    { size, from, signal }: { size: number; from: { domain: string; key: string }; signal: AbortSignal },
  ): Promise<Uint8Array> {
    const own = this.#inMemory.filter((key) => key === from.key).length;
    if (own >= limits.MAX_IN_MEMORY_PER_PEER || this.#inMemory.length >= limits.MAX_IN_MEMORY)
      throw new DtkdError('TOO_MANY_REQUESTS', 'this node is fetching too much already');
    const { members, logger, patienceMs = limits.FETCH_PATIENCE_MS, restMs = limits.FIRST_REST_MS } = this.#options;
    const growing = new GrowingBytes();
    this.#inMemory.push(from.key);
    try {
      await fetchInto(
        growing,
        { digest, size, prefer: [from], signal },
        { members, reserve: async () => undefined, logger, patienceMs, restMs },
      );
      return growing.bytes();
    } finally {
      this.#inMemory.splice(this.#inMemory.indexOf(from.key), 1);
    }
  }

  /** Returns the fetch of this content: the one in progress, or a new one once one that was given up has ended. */
  async #board(digest: string, size: number | undefined): Promise<Flight> {
    for (;;) {
      const flight = this.#flights.get(digest);
      if (flight === undefined) return this.#launch(digest, size);
      if (!flight.controller.signal.aborted) return flight;
      await flight.done.catch(() => undefined);
    }
  }

  #launch(digest: string, size: number | undefined): Flight {
    const controller = new AbortController();
    const prefer: Flight['prefer'] = [];
    // Starts a moment later, so that the caller can say whom to ask.
    const done = Promise.resolve()
      .then(() => this.#download({ digest, size, prefer, signal: controller.signal }))
      .finally(() => this.#flights.delete(digest));
    // Everybody who waited may be gone.
    done.catch(() => undefined);
    const flight = { prefer, waiting: 0, controller, done, landed: Promise.withResolvers<void>() };
    this.#flights.set(digest, flight);
    return flight;
  }

  async #download(job: { digest: string; size: number | undefined; prefer: Flight['prefer']; signal: AbortSignal }): Promise<void> {
    const { members, logger, patienceMs = limits.FETCH_PATIENCE_MS, restMs = limits.FIRST_REST_MS } = this.#options;
    if (job.size !== undefined && job.size > this.#capacity) throw noRoom(this.#capacity);
    const file = await this.#guard(() => this.#files.resume(job.digest));
    let reserved = file.size;
    this.#growing += reserved;
    const reserve = async (bytes: number) => {
      await this.#reserve(bytes);
      reserved += bytes;
    };
    try {
      await this.#guard(() => fetchInto(file, job, { members, reserve, logger, patienceMs, restMs }));
      await this.#keep(file, job.digest);
    } catch (error) {
      // What has come is kept for a later fetch, unless it was wrong.
      const wrong = error instanceof DtkdError && error.code === 'CONTENT_ALTERED';
      await (wrong ? this.#files.discard(file) : file.close());
      throw error;
    } finally {
      this.#growing -= reserved;
    }
  }

  async allow(digest: string, readers: Readers, until: number): Promise<void> {
    const entry = this.#entries.get(digest);
    if (entry === undefined) {
      throw new DtkdError('CONTENT_MISSING', `content ${digest.slice(0, 12)}… is not on this node`, { next: 'Upload it again.' });
    }
    const allowed = allowing(entry, readers, until, this.#options.now());
    await this.#options.rows.batch([this.#put(digest, allowed)], { sync: true });
  }

  /**
   * Reserves bytes of the store's share, evicting files if there is no room. A user's uploads never exceed what is left for everybody
   * else. Errors: DISK_FULL.
   */
  async #reserve(bytes: number, user?: string): Promise<void> {
    if (!(await this.#guard(() => this.#room.has(bytes)))) throw diskFull(this.#options.directory);
    if (!this.#hasRoom(bytes, user)) {
      this.#evicting ??= this.#remove(true).finally(() => {
        this.#evicting = undefined;
      });
      await this.#evicting;
      if (!this.#hasRoom(bytes, user)) throw this.#hasRoom(bytes) ? shareTaken() : noRoom(this.#capacity);
    }
    this.#growing += bytes;
  }

  #hasRoom(bytes: number, user?: string): boolean {
    const left = this.#capacity - this.#kept - this.#growing - bytes;
    return left >= (user === undefined ? 0 : this.#shares.of(user) + bytes);
  }

  async sweep(): Promise<void> {
    await this.#remove(false);
    await this.#guard(() => this.#files.removeOldPartials(this.#options.now()));
  }

  async #remove(pressed: boolean): Promise<void> {
    const now = this.#options.now();
    const ops: KvOp[] = [];
    for (const [digest, entry] of [...this.#entries]) {
      if (!isSpent(entry, now, pressed)) continue;
      // First drop the entry, then the file: a file left by a crash in between is found at the next start.
      ops.push(this.#drop(digest));
      await this.#guard(() => this.#files.remove(digest));
    }
    if (ops.length > 0) await this.#options.rows.batch(ops, { sync: false });
  }

  async #sweepQuietly(): Promise<void> {
    await this.sweep().catch((error: unknown) => this.#options.logger.warn({ err: error }, 'Content could not be tidied up'));
  }

  async #guard<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw fileError(error, this.#options.directory);
    }
  }
}

function late(digest: string): DtkdError {
  return new DtkdError('TIMEOUT', `content ${digest.slice(0, 12)}… did not arrive in time`);
}

function tooLarge(limit: number): DtkdError {
  return new DtkdError('TOO_LARGE', `that is larger than ${limit} bytes`);
}
