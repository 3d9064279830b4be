/**
 * A watch of what one user sees. It keeps which objects were shown (names, uids and versions only), and follows two things: the changes of the store,
 * and the rights of the user. When those change it goes through the rows once more: what shows no longer is DELETED, what shows now is ADDED.
 * So a cache that follows it holds exactly what the user may see, without ever being told of anything else.
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

/** Milliseconds between two goings through of one watch: many grants in a row cost one. */
const REVIEW_REST_MS = 50;
/** Or so many times as long as one took, up to that: whoever can change rights all the time does not keep watches busy all the time. */
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

/** Throws as the store's watch does, and GONE where rights have changed since the version to go on from. */
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
  return new DtkdError('GONE', 'rights have changed since the version from which this watch goes on', { next: 'List again.' });
}

/** Waits until a time, or the signal. */
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
  /** Of a watch that goes on: what was not yet looked at since the version that it goes on from, up to the version of the first look. */
  #untouched: { upTo: number; touched: Set<string> } | undefined;
  /** Changes up to this version were taken in by going through the rows. */
  #reviewed = 0;
  /** The version at which the client stands. */
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
          // what the client was shown of objects that have changed meanwhile is not known until their changes have come by
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
        // of what a review took in, the client may have lost what the review told
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

  /** What a change of an object is to this user. */
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
   * Goes through the rows with the present rights. Nothing of what it says bears the version with which it ends, but for the last word: a client
   * that is cut off on the way cannot go on as if it had heard all.
   */
  async *#review(isStill: () => boolean): AsyncGenerator<WatchEvent> {
    const { views } = this.#api;
    const gone = new Set(this.#shown.keys());
    const come: { namespace: string; name: string }[] = [];
    const version = await this.#goThrough((object, visibility) => {
      const key = keyOf(object);
      const was = this.#shown.get(key);
      // what shows otherwise than before at the same version goes and comes: clients tell by the version whether an object has changed
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
    // a client that stood at this version already may have heard nothing of it
    if (this.#told < version && isStill()) views.looked(this.#principal, this.#query, version);
    this.#told = Math.max(this.#told, version);
  }

  /** An object that shows now or otherwise than before; undefined if it does not any more, or has changed since and so will come by. */
  async #come({ namespace, name }: { namespace: string; name: string }, version: number): Promise<ObjectEvent | undefined> {
    const { group, plural } = this.#query;
    const object = await this.#api.store.get({ group, plural, namespace, name });
    if (object === undefined) return undefined;
    // a replica's version is its owner's and says nothing here
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

  /** Of a watch that goes on: what its client was shown is what shows now, but for what has changed since. */
  async #remember(): Promise<void> {
    const version = await this.#goThrough((object, visibility) => this.#shown.set(keyOf(object), shownOf(object, visibility)));
    if (version > Number(this.#query.resourceVersion)) this.#untouched = { upTo: version, touched: new Set() };
  }

  /** Before the first change of an object since then is taken in: what was shown of it then. */
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

  /** Calls back for each object that shows; returns the version that it went through. */
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

  /** An object that shows no longer, of which nothing is told but which it was. */
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
