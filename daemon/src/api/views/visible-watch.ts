/**
 * A watch of what one user may see. It remembers which objects were shown (names, uids and versions only), and follows both the
 * changes of the store and the rights of the user. When the rights change it reviews all rows: what is no longer visible is
 * DELETED, what is now visible is ADDED. So a cache that follows it holds exactly what the user may see, and is never told of
 * anything else.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import { apiVersionOf } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Visibility } from '../../access/access.types.ts';
import type { WatchEvent, WatchQuery } from '../../store/object-store.types.ts';
import { Reader } from '../flow/event-reader.ts';
import { GIVEN_UP, linkSignals } from '../flow/linked-signal.ts';
import type { Views } from './views.ts';
import { redacted, shownAs, visibilityIn } from './visibility.ts';

/** Minimum milliseconds between two reviews of one watch, so that many grants in a row cost one. */
const REVIEW_REST_MS = 50;
/**
 * A review is also followed by a pause of this many times its own duration, up to the maximum below: constant changes of rights do
 * not keep watches constantly busy.
 */
const REVIEW_REST_RATIO = 4;
const MAX_REVIEW_REST_MS = 2_000;

/** An object that the client was shown. */
interface Shown {
  uid: string;
  creationTimestamp: string;
  resourceVersion: string;
  visibility: 'full' | 'name';
}

type ObjectEvent = Exclude<WatchEvent, { type: 'BOOKMARK' }>;

/** Throws as the store's watch does, and GONE if rights have changed since the version to resume from. */
export function watchVisible(api: Views, principal: Principal, query: WatchQuery): AsyncIterable<WatchEvent> {
  const from = query.resourceVersion ?? '';
  const resumes = from !== '' && from !== '0';
  const since = api.views.generation;
  const ended = new AbortController();
  const { signal, release } = linkSignals([query.signal, ended.signal]);
  const end = () => {
    ended.abort(GIVEN_UP);
    release();
  };
  try {
    const events = api.store.watch({ ...query, signal });
    if (resumes && !api.views.unchangedSince(principal, query, Number(from))) throw rightsChanged();
    return new VisibleWatch(api, principal, { ...query, signal }).follow(events, since, resumes, end);
  } catch (error) {
    end();
    throw error;
  }
}

function rightsChanged(): DtkdError {
  return new DtkdError('GONE', 'rights have changed since the version that this watch continues from', { next: 'List again.' });
}

/** Waits until the given time, or until the signal aborts. */
async function rest(until: number, signal: AbortSignal): Promise<void> {
  const milliseconds = until - performance.now();
  if (milliseconds <= 0 || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  const stop = () => resolve();
  signal.addEventListener('abort', stop, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', stop);
}

class VisibleWatch {
  readonly #api: Views;
  readonly #principal: Principal;
  readonly #query: WatchQuery;
  readonly #shown = new Map<string, Shown>();
  /**
   * For a resumed watch: objects whose first change since the version it resumes from has been seen, among changes up to `upTo`,
   * the version of the initial look. Undefined when there are no such changes, or none any more.
   */
  #untouched: { upTo: number; touched: Set<string> } | undefined;
  /** Changes up to this version were covered by a review. */
  #reviewed = 0;
  /** The version that the client has reached. */
  #told: number;

  constructor(api: Views, principal: Principal, query: WatchQuery) {
    this.#api = api;
    this.#principal = principal;
    this.#query = query;
    this.#told = Number(query.resourceVersion ?? '0');
  }

  async *follow(events: AsyncIterable<WatchEvent>, since: number, resumes: boolean, end: () => void): AsyncGenerator<WatchEvent> {
    const { signal } = this.#query;
    const { views } = this.#api;
    let generation = since;
    const reader = new Reader(events);
    const forget = views.onChange(() => reader.wake());
    let restUntil = 0;
    try {
      if (resumes) {
        await this.#remember();
        if (since !== views.generation) throw rightsChanged();
      }
      while (!signal.aborted) {
        if (generation !== views.generation) {
          // what the client was shown of objects that have changed is not known until their changes have come by
          if (this.#untouched !== undefined) throw rightsChanged();
          await rest(restUntil, signal);
          generation = views.generation;
          const began = performance.now();
          yield* this.#review(() => generation === views.generation);
          const ended = performance.now();
          restUntil = ended + Math.min(MAX_REVIEW_REST_MS, Math.max(REVIEW_REST_MS, REVIEW_REST_RATIO * (ended - began)));
          continue;
        }
        const next = await reader.next(() => generation === views.generation);
        if (next === undefined) continue;
        if (next.done === true) return;
        const { version } = next.value;
        if (next.value.type !== 'BOOKMARK') yield* this.#taken(next.value);
        else if (version > this.#reviewed) yield next.value;
        this.#told = Math.max(this.#told, version);
        // where a review covered the change, the client may have missed what the review reported
        if (generation === views.generation && version > this.#reviewed) views.looked(this.#principal, this.#query, version);
      }
    } finally {
      forget();
      end();
      reader.close();
    }
  }

  #visibility(): (object: ApiObject) => Visibility {
    const { access, node } = this.#api;
    return visibilityIn(this.#query, access.view(this.#principal, this.#query.group, this.#query.plural), this.#principal, node.name);
  }

  /** The event that a change of an object is to this user. */
  *#taken(event: ObjectEvent): Generator<WatchEvent> {
    const { object, version } = event;
    const key = keyOf(object);
    const visibility = this.#visibility();
    this.#recall(key, event, visibility);
    if (version <= this.#reviewed) return;
    const was = this.#shown.get(key);
    const is = event.type === 'DELETED' ? 'hidden' : visibility(object);
    if (is === 'hidden') {
      if (was === undefined) return;
      this.#shown.delete(key);
      const { resourceVersion } = event.type === 'DELETED' ? object.metadata : { resourceVersion: String(version) };
      const last = event.type === 'DELETED' && was.visibility === 'full' && visibility(object) === 'full' ? object : redacted(object);
      yield { type: 'DELETED', object: { ...last, metadata: { ...last.metadata, resourceVersion } }, version };
      return;
    }
    this.#shown.set(key, shownOf(object, is));
    yield { type: was === undefined ? 'ADDED' : 'MODIFIED', object: shownAs(is, object) ?? redacted(object), version };
  }

  /**
   * Goes through the rows with the present rights. Only the last event carries the final version, so a client that is cut off on
   * the way cannot resume as if it had received everything.
   */
  async *#review(isStill: () => boolean): AsyncGenerator<WatchEvent> {
    const { views } = this.#api;
    const gone = new Set(this.#shown.keys());
    const come: { namespace: string; name: string }[] = [];
    const version = await this.#goThrough((object, visibility) => {
      const key = keyOf(object);
      const was = this.#shown.get(key);
      // an object that is shown differently at the same version is deleted and added again: clients tell by the version whether an
      // object has changed
      if (was?.uid === object.metadata.uid && (was.visibility === visibility || was.resourceVersion !== object.metadata.resourceVersion))
        gone.delete(key);
      if (was?.uid !== object.metadata.uid || was.resourceVersion !== object.metadata.resourceVersion || was.visibility !== visibility) {
        come.push({ namespace: object.metadata.namespace ?? '', name: object.metadata.name });
      }
    });
    this.#reviewed = Math.max(this.#reviewed, version);
    views.reviewing(this.#principal, version);
    for (const key of gone) {
      const was = this.#shown.get(key);
      this.#shown.delete(key);
      if (was !== undefined) yield { type: 'DELETED', object: this.#lastOf(key, was, version - 1), version: version - 1 };
    }
    let last: WatchEvent | undefined;
    for (const each of come) {
      const event = await this.#come(each, version);
      if (event === undefined) continue;
      if (event.object.metadata.resourceVersion === String(version)) last = event;
      else yield { ...event, version: version - 1 };
    }
    if (last !== undefined) yield last;
    if (this.#query.bookmarks === true) yield { type: 'BOOKMARK', version };
    // a client that had reached this version already may not have received the review
    if (this.#told < version && isStill()) views.looked(this.#principal, this.#query, version);
    this.#told = Math.max(this.#told, version);
  }

  /**
   * The event for an object that is now visible, or visible in another form. Undefined if it no longer is, or if it has changed
   * since, as its own event will follow.
   */
  async #come({ namespace, name }: { namespace: string; name: string }, version: number): Promise<ObjectEvent | undefined> {
    const { group, plural } = this.#query;
    const object = await this.#api.store.get({ group, plural, namespace, name });
    if (object === undefined) return undefined;
    // a replica's version is its owner's and cannot be compared with this store's
    const isNewer = Number(object.metadata.resourceVersion) > version;
    if (isNewer && (await this.#api.store.originOf({ group, plural, namespace, name })) !== 'replica') return undefined;
    const is = this.#visibility()(object);
    const shown = shownAs(is, object);
    if (shown === undefined || is === 'hidden') return undefined;
    const key = keyOf(object);
    const type = this.#shown.has(key) ? 'MODIFIED' : 'ADDED';
    this.#shown.set(key, shownOf(object, is));
    return { type, object: shown, version };
  }

  /** For a resumed watch: assumes that its client was shown what is visible now, apart from what has changed since. */
  async #remember(): Promise<void> {
    const version = await this.#goThrough((object, visibility) => this.#shown.set(keyOf(object), shownOf(object, visibility)));
    if (version > Number(this.#query.resourceVersion)) this.#untouched = { upTo: version, touched: new Set() };
  }

  /** Before the first change of an object since the resume version is handled: restores what the client was shown of it at that version. */
  #recall(key: string, event: ObjectEvent, visibility: (object: ApiObject) => Visibility): void {
    const untouched = this.#untouched;
    if (untouched === undefined) return;
    if (event.version > untouched.upTo) {
      this.#untouched = undefined;
      return;
    }
    if (untouched.touched.has(key)) return;
    untouched.touched.add(key);
    const before = event.type === 'DELETED' ? event.object : event.previous;
    const then = before === undefined ? 'hidden' : visibility(before);
    if (before === undefined || then === 'hidden') this.#shown.delete(key);
    else this.#shown.set(key, shownOf(before, then));
  }

  /** Calls `each` for every visible object; returns the version of the rows. */
  async #goThrough(each: (object: ApiObject, visibility: 'full' | 'name') => void): Promise<number> {
    const { resourceVersion: _version, bookmarks: _bookmarks, told: _told, signal: _signal, ...query } = this.#query;
    let visibility: ((object: ApiObject) => Visibility) | undefined;
    const page = await this.#api.store.listRaw(query, {
      filter: (object) => {
        visibility ??= this.#visibility();
        const is = visibility(object);
        if (is !== 'hidden') each(object, is);
        return undefined;
      },
    });
    return Number(page.resourceVersion);
  }

  /** An object that is no longer visible, with nothing but its identity. */
  #lastOf(key: string, { uid, creationTimestamp }: Shown, version: number): ApiObject {
    const { group, plural } = this.#query;
    const kind = kindByPlural(group, plural);
    const [namespace = '', name = ''] = key.split('/');
    return redacted({
      apiVersion: kind === undefined ? '' : apiVersionOf(kind),
      kind: kind?.kind ?? '',
      metadata: {
        name,
        ...(namespace === '' ? {} : { namespace }),
        uid,
        resourceVersion: String(version),
        creationTimestamp,
        generation: 0,
      },
    });
  }
}

function keyOf({ metadata }: ApiObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function shownOf({ metadata }: ApiObject, visibility: 'full' | 'name'): Shown {
  const { uid, creationTimestamp, resourceVersion } = metadata;
  return { uid, creationTimestamp, resourceVersion, visibility };
}
