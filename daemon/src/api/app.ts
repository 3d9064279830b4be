/**
 * The HTTP API as a Hono application: says which path leads where. Routes come from the kinds; what all of them share is in
 * `reception/`. Owns no socket; `server.ts` serves it.
 */
import { Hono } from 'hono';
import { DtkdError } from '../../../protocol/errors.ts';
import { KINDS } from '../../../protocol/kinds/index.ts';
import type { Kind, Verb } from '../../../protocol/kinds/kind.ts';
import { daemonAction, objectAction } from './actions/actions.ts';
import { makeBackup } from './actions/backup.ts';
import { getContent, putContent } from './actions/content.ts';
import { exportParcel, importParcel } from './actions/parcels.ts';
import type { ApiOptions } from './api.types.ts';
import { DerivingStore } from './derived/deriving-store.ts';
import { addDescription } from './description.ts';
import { insteadOf, insteadOfMethod } from './discovery/counterparts.ts';
import { allowsDeleteCollection, DAEMON_GROUP } from './discovery/discovery.ts';
import { addDiscovery, basePath } from './discovery/routes.ts';
import { federatedList } from './federated/list.ts';
import { federatedWatch } from './federated/watch.ts';
import type { Soon } from './flow/soon.ts';
import { getMetrics, METRICS_PATH } from './monitoring/metrics.ts';
import { addProbes } from './monitoring/probes.ts';
import { inTurn, newListTurns } from './reading/list-turns.ts';
import { getObject, listObjects } from './reading/reading.ts';
import { watchObjects } from './reading/watching.ts';
import { type AddRoute, answerError, newUnderway, reception } from './reception/reception.ts';
import { RequestCounts } from './reception/request-counts.ts';
import { type Api, type ApiContext, type ApiEnv, flag } from './request/request.ts';
import { addReviews } from './reviews/reviews.ts';
import { RememberingRouter } from './router.ts';
import { ViewHistory } from './views/view-history.ts';
import { patchObject, replaceObject } from './writing/changing.ts';
import { createObject } from './writing/creating.ts';
import { deleteCollection, deleteObject } from './writing/deleting.ts';

/** Watches and streams open at once; each costs a connection. */
const MAX_STREAMS = 1000;

type KindHandler = (api: Api, c: ApiContext, kind: Kind) => Soon<Response>;
interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  verb: Verb;
  handle: KindHandler;
}

const listOrWatch: KindHandler = (api, c, kind) => {
  if (!flag(c, 'watch')) return inTurn(api, c, () => federatedList(api, c, kind) ?? listObjects(api, c, kind));
  if (!kind.verbs.includes('watch')) throw notAllowed(c, kind);
  return federatedWatch(api, c, kind) ?? watchObjects(api, c, kind);
};
const getOrWatch: KindHandler = (api, c, kind) =>
  flag(c, 'watch') ? (federatedWatch(api, c, kind) ?? watchObjects(api, c, kind)) : getObject(api, c, kind);

const COLLECTION: readonly Route[] = [
  { method: 'GET', verb: 'list', handle: listOrWatch },
  { method: 'POST', verb: 'create', handle: createObject },
  { method: 'DELETE', verb: 'delete', handle: deleteCollection },
];
const OBJECT: readonly Route[] = [
  { method: 'GET', verb: 'get', handle: getOrWatch },
  { method: 'PUT', verb: 'update', handle: replaceObject },
  { method: 'PATCH', verb: 'patch', handle: patchObject },
  { method: 'DELETE', verb: 'delete', handle: deleteObject },
];
/** Requests over all namespaces are read-only. */
const EVERYWHERE = COLLECTION.filter((route) => route.method === 'GET');

const DAEMON = `/apis/${DAEMON_GROUP}/v1/daemon`;
const REFERENCE_PAGE = '/reference/';

/** Makes the application. `closing` aborts when its server shuts down; `counts` counts every request. */
export function createApi(
  options: ApiOptions,
  closing: AbortSignal = new AbortController().signal,
  counts: RequestCounts = new RequestCounts(),
): Hono<ApiEnv> {
  const store = new DerivingStore(options.store);
  const views = new ViewHistory(options.access, store);
  closing.addEventListener('abort', () => views.close(), { once: true });
  const api: Api = {
    ...options,
    store,
    closing,
    views,
    streams: { open: 0, limit: options.maxStreams ?? MAX_STREAMS, ofUser: new Map() },
    lists: newListTurns(),
    underway: newUnderway(),
  };
  counts.streams = () => api.streams.open;
  const app = new Hono<ApiEnv>({ router: new RememberingRouter() });
  const { open, known } = reception(api, counts);
  const add: AddRoute = (method, path, handle) => app.on(method, path, known(handle));
  const addOpen: AddRoute = (method, path, handle) => app.on(method, path, open(handle));
  const lost = known((c) => answerError(api, c, unknownPath(c)));
  app.notFound(lost);
  // handlers answer their own errors; this is for errors raised outside of them
  app.onError((error, c) => answerError(api, c, error));
  addProbes(api, addOpen);
  addDescription(api, addOpen);
  const welcome = open((c) => c.redirect(REFERENCE_PAGE));
  app.get('/', (c) => (isPerson(c) ? welcome(c) : lost(c)));
  add('GET', METRICS_PATH, (c) => getMetrics(api, c));
  addDiscovery(add, api.extensions.subresources.keys());
  addReviews(api, add);
  for (const kind of KINDS) addKind(api, add, kind);
  add('PUT', `${DAEMON}/content`, (c) => putContent(api, c));
  add('GET', `${DAEMON}/content/:digest`, (c) => getContent(api, c));
  add('POST', `${DAEMON}/backup`, (c) => makeBackup(api, c));
  add('POST', `${DAEMON}/parcel`, (c) => importParcel(api, c));
  add('POST', `${DAEMON}/parcel/export`, (c) => exportParcel(api, c));
  add('ALL', `${DAEMON}/:rest{.+}`, (c) => daemonAction(api, c));
  return app;
}

/** True for a browser that a person uses, false for programs. */
function isPerson(c: ApiContext): boolean {
  return /\btext\/html\b/.test(c.req.header('accept') ?? '');
}

function addKind(api: Api, add: AddRoute, kind: Kind): void {
  const everywhere = `${basePath(kind)}/${kind.plural}`;
  const collection = kind.scope === 'Cluster' ? everywhere : `${basePath(kind)}/namespaces/:namespace/${kind.plural}`;
  if (kind.scope === 'Namespaced') addRoutes(api, add, kind, everywhere, EVERYWHERE);
  addRoutes(api, add, kind, collection, COLLECTION);
  addRoutes(api, add, kind, `${collection}/:name`, OBJECT);
  if (kind.scope === 'Namespaced') add('ALL', `${collection}/:name/:rest{.+}`, (c) => objectAction(api, c, kind));
}

function addRoutes(api: Api, add: AddRoute, kind: Kind, path: string, routes: readonly Route[]): void {
  const offered = routes.filter(
    (route) => kind.verbs.includes(route.verb) && (route.handle !== deleteCollection || allowsDeleteCollection(kind)),
  );
  for (const route of offered) add(route.method, path, (c) => route.handle(api, c, kind));
  add('ALL', path, (c) => {
    const response = answerError(api, c, notAllowed(c, kind));
    response.headers.set('allow', offered.map((route) => route.method).join(', '));
    return response;
  });
}

function notAllowed(c: ApiContext, kind: Kind): DtkdError {
  const path = c.req.path.slice(0, 253);
  return new DtkdError('METHOD_NOT_ALLOWED', `${c.req.method} is not allowed at ${path}`, {
    next: insteadOfMethod(kind, c.req.method, path),
  });
}

function unknownPath(c: ApiContext): DtkdError {
  const path = c.req.path.slice(0, 253);
  const isKind = path.startsWith('/api/') || path.startsWith('/apis/');
  return new DtkdError('NOT_FOUND', isKind ? `no kind is served at ${path}` : `there is nothing at ${path}`, {
    next: insteadOf(c.req.path),
  });
}
