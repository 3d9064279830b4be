/**
 * Watches. Each is only a cursor into the change log: it reads the changes after it, from memory while it keeps up, otherwise from the
 * database. So a slow reader costs no memory and misses nothing, and ends with GONE only when the log no longer reaches back to its cursor.
 */
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { ChangeLog } from './change-log.ts';
import type { Change, WatchEvent, WatchQuery } from './object-store.types.ts';
import type { Selection } from './selection.ts';

/** Changes read at once. */
const READ_AHEAD = 256;

/** Wakes the watches that wait for the next change. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Resolves at the next ring, or when the signal aborts, or at once if `missed` says that there is something already. */
  async wait(signal: AbortSignal, missed: () => boolean): Promise<void> {
    if (signal.aborted || missed()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const abort = () => resolve();
    signal.addEventListener('abort', abort, { once: true });
    await promise;
    signal.removeEventListener('abort', abort);
    this.#waiting.delete(resolve);
  }
}

/** The event of a change for a watch with this selection: leaving the selection is a deletion, entering it an addition. */
function eventOf(change: Change, selection: Selection): WatchEvent | undefined {
  if (!selection.covers(change.ref)) return undefined;
  const { version, object, previous } = change;
  const was = previous !== undefined && selection.matches(previous);
  const is = change.type !== 'DELETED' && selection.matches(object);
  if (is) return was && previous !== undefined ? { type: 'MODIFIED', object, previous, version } : { type: 'ADDED', object, version };
  if (!was || previous === undefined) return undefined;
  return { type: 'DELETED', object: change.origin === 'replica' ? previous : stamped(previous, version), version };
}

/** Gives a deleted object the version of its deletion, so that a watch that resumes from it does not see the deletion again. */
function stamped(object: ApiObject, version: number): ApiObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

export interface Follow {
  log: ChangeLog;
  bell: Bell;
  selection: Selection;
  /** The last version that the reader has seen. */
  cursor: number;
  query: WatchQuery;
  /** Milliseconds between bookmarks that only report progress. */
  bookmarkMs: number;
}

/** Yields everything after the cursor, until the signal aborts. */
export async function* follow({ log, bell, selection, cursor: start, query, bookmarkMs }: Follow): AsyncGenerator<WatchEvent> {
  const { signal, bookmarks = false } = query;
  let cursor = start;
  let marked = start;
  let markedAt = performance.now();
  // A replica's resourceVersion is its owner's stamp, from which this watch cannot resume. So a bookmark follows it.
  let owed = false;
  while (!signal.aborted) {
    const changes = await log.after(cursor, READ_AHEAD);
    for (const change of changes) {
      if (signal.aborted) return;
      cursor = change.version;
      const event = eventOf(change, selection);
      if (event === undefined) continue;
      owed ||= change.origin === 'replica';
      yield event;
    }
    if (cursor < log.last) continue;
    if (bookmarks && cursor > marked && (owed || performance.now() - markedAt >= bookmarkMs)) {
      yield { type: 'BOOKMARK', version: cursor };
      owed = false;
      marked = cursor;
      markedAt = performance.now();
    }
    await bell.wait(signal, () => log.last > cursor);
  }
}
