/** Handles watch: newline-separated JSON events. A failure on the way becomes an ERROR event, as Kubernetes clients expect. */

import { DtkdError } from '../../../../protocol/errors.ts';
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import { partialMetadata, renderTable } from '../../../../protocol/kinds/table.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { WatchQuery } from '../../store/object-store.types.ts';
import { begin } from '../deciding/deciding.ts';
import type { Principal } from '../handlers.types.ts';
import { type AnswerForm, answerForm } from '../request/media.ts';
import { includeObject } from '../request/object-answer.ts';
import { type Api, type ApiContext, flag, type Target, targetOf, versionParameters, wholeNumber } from '../request/request.ts';
import { selectionQuery } from '../request/selection.ts';
import { statusOf } from '../request/status.ts';
import { answerLines } from '../request/streaming.ts';
import { assertReached, watchTime, watchVersion } from '../request/versions.ts';
import { visibleWatch } from '../views/visible-rows.ts';
import { listFirst } from './list-turns.ts';

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';
const META_VERSION = 'meta.k8s.io/v1';

export function watchObjects(api: Api, c: ApiContext, kind: Kind): Response {
  const target = targetOf(api, c, kind);
  begin(c, 'watch', target);
  c.get('note').because = 'what its grants show';
  const form = answerForm(c.req.header('accept'));
  const timeoutMs = watchTime(wholeNumber(c, 'timeoutSeconds'));
  const { initialEvents, atLeast, resourceVersion } = watchVersion(versionParameters(c));
  assertReached(atLeast, api.store.version());
  const query = {
    ...watchSelection(api, c, target),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    bookmarks: flag(c, 'allowWatchBookmarks') || initialEvents,
  };
  const principal = c.get('principal');
  assertQuery(api, principal, query);
  const shape = shaper(c, kind, form);
  const listsFirst = resourceVersion === undefined || resourceVersion === '0';
  const make = (signal: AbortSignal) => {
    const told = (then?: () => void) =>
      lines(api, principal, kind, { ...query, signal, ...(then && { told: then }) }, { form, shape, initialEvents });
    return listsFirst ? listFirst(api, c, signal, told) : told();
  };
  return answerLines(api, c, make, { timeoutMs, rests: !listsFirst });
}

/** A watch of one object is a watch of its collection by name. */
function watchSelection(api: Api, c: ApiContext, target: Target): Omit<WatchQuery, 'signal'> {
  const query = selectionQuery(api, c, target);
  if (target.name === '') return query;
  const byName = `metadata.name=${target.name.replace(/[\\,=]/g, '\\$&')}`;
  return { ...query, fieldSelector: query.fieldSelector === undefined ? byName : `${query.fieldSelector},${byName}` };
}

/** Refuses a query that can never be watched before the answer begins. A version that is gone is reported as an event. */
function assertQuery(api: Api, principal: Principal, query: Omit<WatchQuery, 'signal'>): void {
  try {
    visibleWatch(api, principal, { ...query, signal: AbortSignal.abort() });
  } catch (error) {
    if (!(error instanceof DtkdError && error.code === 'GONE')) throw error;
  }
}

export type Shape = (object: ApiObject) => unknown;

/** Converts objects into the form that the client accepts. In a series of tables only the first one names the columns. */
export function shaper(c: ApiContext, kind: Kind, form: AnswerForm): Shape {
  if (form === 'metadata') return (object) => partialMetadata(object);
  if (form !== 'table') return (object) => object;
  const carried = includeObject(c);
  let first = true;
  return (object) => {
    const { resourceVersion } = object.metadata;
    const table = renderTable(kind, [object], { now: Date.now(), includeObject: carried, metadata: { resourceVersion } });
    const shown = first ? table : { ...table, columnDefinitions: [] };
    first = false;
    return shown;
  };
}

async function* lines(
  api: Api,
  principal: Principal,
  kind: Kind,
  query: WatchQuery,
  { form, shape, initialEvents }: { form: AnswerForm; shape: Shape; initialEvents: boolean },
): AsyncGenerator<string> {
  let markEnd = initialEvents;
  try {
    for await (const event of visibleWatch(api, principal, query)) {
      yield event.type === 'BOOKMARK' ? JSON.stringify(bookmark(kind, form, event, markEnd)) : eventLine(event.type, event.object, shape);
      if (event.type === 'BOOKMARK') markEnd = false;
    }
  } catch (error) {
    const about = { group: kind.group, kind: kind.plural };
    const object = statusOf(error, about, (unexpected) => api.logger.error({ err: unexpected }, 'A watch failed'));
    yield JSON.stringify({ type: 'ERROR', object });
  }
}

/** The JSON text of objects: all watches get the same object for a change, so it is serialized once. */
const texts = new WeakMap<ApiObject, string>();

/** One event as a line. */
export function eventLine(type: string, object: ApiObject, shape: Shape): string {
  const shown = shape(object);
  if (shown !== object) return JSON.stringify({ type, object: shown });
  const text = texts.get(object) ?? JSON.stringify(object);
  texts.set(object, text);
  return `{"type":"${type}","object":${text}}`;
}

/** A bookmark: a version to resume from, in the kind that the client expects of all events. */
export function bookmark(kind: Kind, form: AnswerForm, event: { version: number | string }, endOfInitialEvents: boolean): unknown {
  const annotations = endOfInitialEvents ? { annotations: { [INITIAL_EVENTS_END]: 'true' } } : {};
  const metadata = { resourceVersion: String(event.version), creationTimestamp: null, ...annotations };
  return { type: 'BOOKMARK', object: { ...bookmarkedAs(kind, form), metadata } };
}

function bookmarkedAs(kind: Kind, form: AnswerForm): object {
  if (form === 'table') return { kind: 'Table', apiVersion: META_VERSION, columnDefinitions: [], rows: [] };
  return form === 'metadata'
    ? { kind: 'PartialObjectMetadata', apiVersion: META_VERSION }
    : { kind: kind.kind, apiVersion: apiVersionOf(kind) };
}
