/**
 * What one follower of a list over nodes gets: the present state (or what came after the version that it has), then every change of this
 * node's own rows and of what is kept of other nodes. Holds only a cursor into the log: a slow reader costs no memory, and ends with GONE
 * when the log no longer reaches back to its cursor.
 */
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { UserPrincipal } from '../../../../../protocol/rights/principal.ts';
import type { WatchEvent } from '../../../store/object-store.types.ts';
import type { Frozen } from '../cache/frozen.ts';
import type { KeptView } from '../cache/kept-view.ts';
import type { ListNote } from '../cache/list-notes.ts';
import type { LogEntry } from '../cache/log-entry.ts';
import type { Part } from '../cache/part.ts';
import type { FederatedEvent, LocalRows, Selectors } from '../federation.types.ts';
import { markedStale } from '../list/concatenation.ts';
import { objectOf } from '../peer/row.ts';
import type { FederatedSelection } from '../selection.ts';
import type { Feed } from './feed.ts';

const NO_NOTE: ListNote = new Map();
/** Log entries, or rows of a peer, read in one step. */
const AT_ONCE = 200;
/** Milliseconds for which both sides must be quiet before a bookmark, so that changes that belong together have been given. */
const QUIET_MS = 50;

export interface FollowOptions {
  feed: Feed;
  /** Asks all nodes for their present rows; resolves when these are kept. */
  refresh: () => Promise<void>;
  local: LocalRows;
  user: UserPrincipal;
  /** This node. */
  node: string;
  query: Selectors & { group: string; plural: string };
  selection: FederatedSelection;
  /** What the follower knows already; undefined: nothing. */
  from: { version: number; note: ListNote; local: number } | undefined;
  bookmarks: boolean;
  bookmarkMs: number;
  timeoutMs: number;
  signal: AbortSignal;
}

export async function* follow(options: FollowOptions): AsyncGenerator<FederatedEvent> {
  const { feed, selection, from, node, signal } = options;
  const { kept } = feed;
  const own = new OwnRows(options);
  const log = new LogReader(kept, selection, from?.version ?? 0);
  const leave = await feed.join(selection.covers);
  try {
    if (from === undefined) {
      // all nodes should be there before any is shown, but the wait is bounded
      await feed.settled(selection.covers, options.timeoutMs);
      // changes since the last time they were followed may still be on their way
      await options.refresh();
      const frozen = await kept.freeze();
      try {
        log.cursor = frozen.version;
        const before = (namespace: string) => namespace < node;
        yield* state(frozen, selection, ({ namespace }) => (before(namespace) ? 'ADDED' : undefined));
        yield* own.present();
        yield* state(frozen, selection, ({ namespace }) => (before(namespace) ? undefined : 'ADDED'));
      } finally {
        await frozen.close();
      }
    } else {
      // a list without the rows of a node that did not answer must not make the reader drop them
      yield* log.read(signal, from.note);
    }
    yield* changes(options, own, log, from === undefined);
  } finally {
    leave();
    own.close();
  }
}

async function* changes(options: FollowOptions, own: OwnRows, log: LogReader, initial: boolean): AsyncGenerator<FederatedEvent> {
  const { feed, bookmarks, bookmarkMs, signal } = options;
  let marked = log.cursor;
  let markedLocal = own.version;
  let markedAt = initial ? Number.NEGATIVE_INFINITY : performance.now();
  while (!signal.aborted) {
    feed.assertWorks();
    yield* log.read(signal);
    const event = own.take();
    if (event !== undefined) {
      yield event;
      continue;
    }
    if (own.ended) return;
    if (log.isBehind()) continue;
    const due = bookmarks && (markedAt === Number.NEGATIVE_INFINITY || log.cursor > marked || own.version > markedLocal);
    const quiet = await quietFor(due ? Math.max(QUIET_MS, markedAt + bookmarkMs - performance.now()) : undefined, own, feed.kept, signal);
    if (!due || !quiet || signal.aborted) continue;
    markedLocal = own.version;
    marked = await feed.kept.stamp(markedLocal);
    yield* log.read(signal);
    log.cursor = Math.max(log.cursor, marked);
    markedAt = performance.now();
    yield { type: 'BOOKMARK', resourceVersion: String(marked) };
  }
}

/** True if nothing came for this time; without a timeout, waits until something comes. */
async function quietFor(timeoutMs: number | undefined, own: OwnRows, kept: KeptView, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const wake = () => resolve(false);
  const forget = kept.bell.once(wake);
  own.onArrival(wake);
  signal.addEventListener('abort', wake, { once: true });
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => resolve(true), timeoutMs);
  if (signal.aborted) wake();
  const quiet = await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', wake);
  own.onArrival(undefined);
  forget();
  return quiet;
}

/** The kept rows of peers, as events. */
async function* state(frozen: Frozen, selection: FederatedSelection, telling: Telling): AsyncGenerator<FederatedEvent> {
  const parts = [...frozen.parts.values()].sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
  for (const part of parts) {
    const type = selection.covers(part.namespace) ? telling(part) : undefined;
    if (type !== undefined) yield* rowsOf(frozen, selection, part, type);
  }
}

async function* rowsOf(
  frozen: Frozen,
  selection: FederatedSelection,
  { peer, since }: Part,
  type: 'ADDED' | 'MODIFIED',
): AsyncGenerator<FederatedEvent> {
  for (let after = '', more = true; more; ) {
    const rows = await frozen.rows(peer, after, AT_ONCE);
    for (const { name, json } of rows) {
      after = name;
      const object = objectOf(json);
      if (selection.matches(object)) yield { type, object: since === undefined ? object : markedStale(object, since) };
    }
    more = rows.length === AT_ONCE;
  }
}

/** The event type for the rows of a peer; undefined: they are not shown. */
type Telling = (part: Part) => 'ADDED' | 'MODIFIED' | undefined;

class LogReader {
  cursor: number;
  readonly #kept: KeptView;
  readonly #selection: FederatedSelection;
  /** Peers whose rows have become old or current: all of their rows are shown again. */
  readonly #restated = new Set<string>();
  /** Peers of which the list left out all or some rows: all of their rows are shown. */
  readonly #unseen = new Map<string, 'absent' | 'partly'>();

  constructor(kept: KeptView, selection: FederatedSelection, cursor: number) {
    this.#kept = kept;
    this.#selection = selection;
    this.cursor = cursor;
  }

  isBehind(): boolean {
    return this.#kept.latest > this.cursor || this.#kept.closed;
  }

  /**
   * All events up to now, including rows that the list of the note did not show as they are. Throws GONE if the log does not reach back.
   */
  async *read(signal: AbortSignal, note: ListNote = NO_NOTE): AsyncGenerator<FederatedEvent> {
    for (const [peer, difference] of note) {
      if (difference === 'otherwise') this.#restated.add(peer);
      else this.#unseen.set(peer, difference);
    }
    yield* this.#entries(signal);
    while (this.#restated.size + this.#unseen.size > 0 && !signal.aborted) yield* this.#show(signal);
  }

  /** Shows rows as they are at one version, after all changes before it, so that no row appears again in an older form. */
  async *#show(signal: AbortSignal): AsyncGenerator<FederatedEvent> {
    const frozen = await this.#kept.freeze();
    try {
      yield* this.#entries(signal, frozen.version);
      if (signal.aborted) return;
      this.cursor = Math.max(this.cursor, frozen.version);
      const restated = new Set(this.#restated);
      const unseen = new Map(this.#unseen);
      this.#restated.clear();
      this.#unseen.clear();
      yield* state(frozen, this.#selection, ({ peer }) => {
        if (unseen.has(peer)) return 'ADDED';
        return restated.has(peer) ? 'MODIFIED' : undefined;
      });
    } finally {
      await frozen.close();
    }
  }

  async *#entries(signal: AbortSignal, upTo?: number): AsyncGenerator<FederatedEvent> {
    for (let more = true; more && !signal.aborted; ) {
      const entries = await this.#kept.after(this.cursor, AT_ONCE, upTo);
      for (const { version, entry } of entries) {
        this.cursor = version;
        if (signal.aborted) return;
        // a reader that saw nothing of a node gets its present rows instead of what has happened since
        if (this.#unseen.get(entry.peer) !== 'absent' && this.#selection.covers(entry.namespace)) yield* this.#events(entry);
      }
      more = entries.length === AT_ONCE;
    }
  }

  *#events(entry: LogEntry): Generator<FederatedEvent> {
    if (entry.type === 'STALE' || entry.type === 'PRESENT') {
      this.#restated.add(entry.peer);
      return;
    }
    const object = 'json' in entry ? this.#wanted(entry.json) : undefined;
    const previous = 'previous' in entry ? this.#wanted(entry.previous) : undefined;
    if (object === undefined && previous === undefined) return;
    if (object === undefined || (previous !== undefined && isAnother(object, previous))) {
      if (previous !== undefined) yield { type: 'DELETED', object: previous };
      if (object !== undefined) yield { type: 'ADDED', object };
      return;
    }
    yield { type: previous === undefined ? 'ADDED' : 'MODIFIED', object };
  }

  #wanted(json: string): ApiObject | undefined {
    const object = objectOf(json);
    return this.#selection.matches(object) ? object : undefined;
  }
}

/**
 * True if the object is a new one of the same name, or is now shown in full or by name only: clients detect changes by the version, which
 * stays then.
 */
function isAnother({ metadata: is }: ApiObject, { metadata: was }: ApiObject): boolean {
  return (
    is.uid !== was.uid || (is.resourceVersion === was.resourceVersion && (is.generation === undefined) !== (was.generation === undefined))
  );
}

/** This node's own rows, read one event ahead, so that a reader can wait for these and for others' at the same time. */
class OwnRows {
  /** The version of this node's store up to which all has been given. */
  version: number;
  /** True once this node's store is being closed. */
  ended = false;
  readonly #events: AsyncIterator<WatchEvent> | undefined;
  readonly #stopped = new AbortController();
  #arrived: IteratorResult<WatchEvent> | { error: unknown } | undefined;
  #asked = false;
  #listener: (() => void) | undefined;

  constructor({ local, user, query, selection, node, from, signal }: FollowOptions) {
    this.version = from?.local ?? local.version();
    if (!selection.covers(node)) return;
    const watch = local.watch(user, {
      ...query,
      namespace: node,
      bookmarks: true,
      signal: AbortSignal.any([signal, this.#stopped.signal]),
      ...(from === undefined ? {} : { resourceVersion: String(from.local) }),
    });
    this.#events = watch[Symbol.asyncIterator]();
  }

  onArrival(listener: (() => void) | undefined): void {
    this.#listener = listener;
    if (this.#arrived !== undefined) listener?.();
  }

  /** The present state: all events before the first bookmark. */
  async *present(): AsyncGenerator<FederatedEvent> {
    if (this.#events === undefined) return;
    for (let next = await this.#events.next(); next.done !== true; next = await this.#events.next()) {
      this.version = Math.max(this.version, next.value.version);
      if (next.value.type === 'BOOKMARK') return;
      yield { type: next.value.type, object: next.value.object };
    }
  }

  /** The next event that has arrived, if any. */
  take(): FederatedEvent | undefined {
    for (;;) {
      const arrived = this.#arrived;
      this.#ask();
      if (arrived === undefined) return undefined;
      if ('error' in arrived) throw arrived.error;
      this.#arrived = undefined;
      if (arrived.done === true) {
        this.ended = true;
        return undefined;
      }
      this.version = Math.max(this.version, arrived.value.version);
      this.#ask();
      if (arrived.value.type !== 'BOOKMARK') return { type: arrived.value.type, object: arrived.value.object };
    }
  }

  close(): void {
    this.#stopped.abort();
    void this.#events?.return?.()?.catch(() => undefined);
  }

  #ask(): void {
    if (this.ended || this.#asked || this.#arrived !== undefined || this.#events === undefined) return;
    this.#asked = true;
    const arrive = (result: IteratorResult<WatchEvent> | { error: unknown }) => {
      this.#asked = false;
      this.#arrived = result;
      this.#listener?.();
    };
    this.#events.next().then(arrive, (error: unknown) => arrive({ error }));
  }
}
