/**
 * The object store: objects, their change log and watches, over a key-value port. A facade: the commit queue makes transactions durable,
 * the change log keeps history, listing and watching read. Guarantees that a list and a watch from its version together show every object
 * and change exactly once. Knows nothing of rights or of what kinds mean.
 */
import { randomInt } from 'node:crypto';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import { parseVersion } from '../../../protocol/objects/resource-version.ts';
import { ChangeLog, LOG_LIMITS, type LogLimits } from './change-log.ts';
import { CommitQueue } from './commit-queue.ts';
import { findIndexed } from './finding.ts';
import { buildIndexes } from './indexes/index-building.ts';
import { BASE_KEY, OBJECT_PREFIX, objectKey } from './keys.ts';
import type { Kv } from './kv.ts';
import { pageOf, parseContinue, type ReadPoint, readRows } from './listing.ts';
import type { LocalStore, RawListOptions, RawListPage, Soon, StoreFigures } from './local-store.types.ts';
import { ObjectCounts } from './object-counts.ts';
import type {
  Change,
  IndexQuery,
  ListPage,
  ListQuery,
  Origin,
  Participant,
  Transaction,
  WatchEvent,
  WatchQuery,
} from './object-store.types.ts';
import { PageCache, type PageKey } from './page-cache.ts';
import { earlierRows } from './rewinding.ts';
import { RowCache } from './row-cache.ts';
import { jsonOfRow, objectOfRow, originOfRow } from './rows.ts';
import { selectionOf } from './selection.ts';
import { Bell, follow } from './watching.ts';

/**
 * Each store begins at a random version. A version taken from another node's object, or from a lost database, is thereby recognised as
 * foreign and answered with GONE. If versions began at 1, a watch that resumed from it would silently skip changes.
 */
const BASE_STEPS = 2 ** 24;
const BASE_STEP = 2 ** 24;

/** Minimum interval between bookmarks that only report progress. Milliseconds. */
const BOOKMARK_MS = 30_000;

export interface ObjectStoreOptions {
  kv: Kv;
  /** This node's name. */
  node: string;
  /** Receives errors that no caller waits for. Default: they are dropped. */
  onError?: (error: unknown) => void;
  now?: () => number;
  limits?: LogLimits;
  bookmarkMs?: number;
}

/** Opens the store over a key-value port. Closing the store closes the port. */
export async function openObjectStore(options: ObjectStoreOptions): Promise<LocalStore> {
  const { kv, limits = LOG_LIMITS, onError = () => {} } = options;
  await buildIndexes(kv);
  const log = await ChangeLog.open(kv, await baseOf(kv), limits, onError);
  return new Store(options, log);
}

async function baseOf(kv: Kv): Promise<number> {
  const stored = await kv.get(BASE_KEY);
  if (stored !== undefined) return Number(Buffer.from(stored).toString('utf8'));
  const base = randomInt(1, BASE_STEPS) * BASE_STEP;
  await kv.batch([{ type: 'put', key: BASE_KEY, value: Buffer.from(String(base)) }], { sync: true });
  return base;
}

class Store implements LocalStore {
  readonly kv: Kv;
  readonly #rows: RowCache;
  readonly #log: ChangeLog;
  readonly #pages: PageCache;
  readonly #queue: CommitQueue;
  readonly #bell = new Bell();
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  readonly #ended = new AbortController();
  readonly #bookmarkMs: number;
  readonly #onError: (error: unknown) => void;
  #resting: (() => void)[] = [];
  #counts: ObjectCounts | undefined;

  constructor({ kv, now = Date.now, onError = () => {}, bookmarkMs = BOOKMARK_MS }: ObjectStoreOptions, log: ChangeLog) {
    this.kv = kv;
    this.#rows = new RowCache(kv, OBJECT_PREFIX);
    this.#log = log;
    this.#pages = new PageCache(log.last);
    this.#onError = onError;
    this.#bookmarkMs = bookmarkMs;
    this.#queue = new CommitQueue({
      kv,
      rows: this.#rows,
      pages: this.#pages,
      log,
      now,
      onError,
      onCommitted: (changes) => this.#announce(changes),
      onRest: () => {
        for (const run of this.#resting.splice(0)) run();
      },
    });
  }

  async get(ref: ObjectRef): Promise<ApiObject | undefined> {
    const row = await this.#rows.get(objectKey(ref));
    return row === undefined ? undefined : objectOfRow(row);
  }

  getRaw(ref: ObjectRef): Soon<Uint8Array<ArrayBuffer> | undefined> {
    const key = objectKey(ref);
    const known = this.#rows.known(key);
    return known === undefined ? this.#rows.get(key).then(rawOfRow) : rawOfRow(known.row);
  }

  async originOf(ref: ObjectRef): Promise<Origin | undefined> {
    const row = await this.#rows.get(objectKey(ref));
    return row === undefined ? undefined : originOfRow(row);
  }

  async list(query: ListQuery): Promise<ListPage> {
    const page = await this.listRaw(query);
    return { ...page, items: page.items.map((json) => parseObject(json)) };
  }

  listRaw(query: ListQuery, { filter, mayShow = () => true }: RawListOptions = {}): Soon<RawListPage> {
    const selection = selectionOf(query);
    const resumed = query.continue === undefined || query.continue === '' ? undefined : parseContinue(query.continue);
    const limit = query.limit ?? 0;
    const key: PageKey | undefined = selection.wholeRange && filter === undefined ? { selection, limit, after: resumed?.after } : undefined;
    const wanted = resumed?.version ?? query.version ?? this.#log.last;
    const known = key === undefined || query.exact === true || wanted > this.#log.last ? undefined : this.#pages.at(wanted, key);
    if (known !== undefined) return known;
    return this.#at(async ({ snapshot, version }) => {
      const shown = resumed?.version ?? query.version ?? version;
      const earlier = mayShow(shown) ? await earlierRows(this.#log, selection, shown, version) : undefined;
      if (earlier === undefined && query.exact === true) throw this.#log.gone(shown);
      const page = await readRows(snapshot, selection, {
        limit,
        ...(filter === undefined ? {} : { filter }),
        ...(earlier === undefined ? {} : { earlier }),
        ...(resumed === undefined ? {} : { after: resumed.after }),
      });
      if (key !== undefined && shown === version) this.#pages.keep(version, key, page);
      return pageOf(page, shown);
    });
  }

  find(query: IndexQuery): Promise<ObjectRef[]> {
    return findIndexed(this.#rows, query);
  }

  watch(query: WatchQuery): AsyncIterable<WatchEvent> {
    const selection = selectionOf(query);
    const from = parseVersion(query.resourceVersion);
    if (from !== undefined) this.#log.assertKept(from);
    const signal = AbortSignal.any([query.signal, this.#ended.signal]);
    return this.#watch({ ...query, signal }, selection, from);
  }

  transact<T>(run: (tx: Transaction) => Promise<T>, options?: { dryRun?: boolean }): Promise<T> {
    return this.#queue.transact(run, options);
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  addParticipant(participant: Participant): void {
    this.#queue.addParticipant(participant);
  }

  version(): number {
    return this.#log.last;
  }

  async figures(): Promise<StoreFigures> {
    this.#counts ??= new ObjectCounts((count) => this.#at(count));
    return { objects: await this.#counts.all(), changeLog: this.#log.size(), ...this.#queue.figures() };
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.#ended.abort();
    await this.#log.settled();
    await this.kv.close();
  }

  async *#watch(query: WatchQuery, selection: ReturnType<typeof selectionOf>, from: number | undefined): AsyncGenerator<WatchEvent> {
    let cursor = from;
    if (cursor === undefined) {
      const state = await this.#at(async ({ snapshot, version }) => ({ version, ...(await readRows(snapshot, selection, {})) }));
      cursor = state.version;
      for (const json of state.items) {
        if (query.signal.aborted) return;
        yield { type: 'ADDED', object: parseObject(json), version: cursor };
      }
      query.told?.();
      if (query.bookmarks === true) yield { type: 'BOOKMARK', version: cursor };
    }
    yield* follow({ log: this.#log, bell: this.#bell, selection, cursor, query, bookmarkMs: this.#bookmarkMs });
  }

  /** Reads from a snapshot taken while no batch is being written, so that it shows exactly one version. */
  async #at<T>(read: (point: ReadPoint) => Promise<T>): Promise<T> {
    const point = await this.#readPoint();
    try {
      return await read(point);
    } finally {
      await point.snapshot.close();
    }
  }

  #readPoint(): Promise<ReadPoint> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadPoint>();
    const take = () => {
      try {
        resolve({ snapshot: this.kv.snapshot(), version: this.#log.last });
      } catch (error) {
        reject(error);
      }
    };
    if (this.#queue.writing) this.#resting.push(take);
    else take();
    return promise;
  }

  #announce(changes: readonly Change[]): void {
    this.#counts?.committed(changes);
    for (const listener of this.#listeners) {
      try {
        listener(changes);
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#bell.ring();
  }
}

function rawOfRow(row: Uint8Array | undefined): Uint8Array<ArrayBuffer> | undefined {
  return row === undefined ? undefined : bytesOf(jsonOfRow(row));
}

/** The same bytes over an ArrayBuffer, as a response needs them. Copied only if necessary. */
function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array<ArrayBuffer> {
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : Uint8Array.from(new Uint8Array(buffer, byteOffset, byteLength));
}

function parseObject(json: Uint8Array): ApiObject {
  const object: ApiObject = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'));
  return object;
}
