/**
 * Watches: each is only a cursor into the change log. It reads what came after it (from memory while it keeps up, else from the
 * database), so a slow reader costs no memory, misses nothing, and ends with GONE only when the log no longer reaches back to it.
 */
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { ChangeLog } from './change-log.ts';
import type { Change, WatchEvent, WatchQuery } from './object-store.types.ts';
import type { Selection } from './selection.ts';

/** Changes read at once. */
const READ_AHEAD = 256;

/** Wakes watches that wait for the next change. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Resolves at the next ring, or when the signal aborts. `missed` says whether there is something already. */
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

/** What a watch with this selection shows of a change: leaving the selection is a deletion, entering it an addition. */
function eventOf(change: Change, selection: Selection): WatchEvent | undefined {
  if (!selection.covers(change.ref)) return undefined;
  const { version, object, previous } = change;
  const was = previous !== undefined && selection.matches(previous);
  const is = change.type !== 'DELETED' && selection.matches(object);
  if (is) return was && previous !== undefined ? { type: 'MODIFIED', object, previous, version } : { type: 'ADDED', object, version };
  if (!was || previous === undefined) return undefined;
  return { type: 'DELETED', object: change.origin === 'replica' ? previous : stamped(previous, version), version };
}

/** A deletion carries its own version, so that a watch that resumes from it does not see it again. */
function stamped(object: ApiObject, version: number): ApiObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

export interface Follow {
  log: ChangeLog;
  bell: Bell;
  selection: Selection;
  /** The last version that the reader knows. */
  cursor: number;
  query: WatchQuery;
  /** Milliseconds between bookmarks that only tell how far a watch has come. */
  bookmarkMs: number;
}

/** Everything after the cursor, for ever. */
export async function* follow({ log, bell, selection, cursor: start, query, bookmarkMs }: Follow): AsyncGenerator<WatchEvent> {
  const { signal, bookmarks = false } = query;
  let cursor = start;
  let marked = start;
  let markedAt = performance.now();
  // A replica's resourceVersion is its owner's stamp and no use for resuming here: the bookmark after it is.
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
