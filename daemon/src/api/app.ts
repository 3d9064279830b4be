/**
 * The HTTP API as a Hono application: who is let in, which path leads where, and how errors are answered. Routes come from the kinds.
 * Owns no socket; `server.ts` serves it.
 */
import { Hono } from 'hono';
import { DtkdError } from '../../../protocol/errors.ts';
import { KINDS } from '../../../protocol/kinds/index.ts';
import type { Kind, Verb } from '../../../protocol/kinds/kind.ts';
import { daemonAction, objectAction } from './actions.ts';
import type { ApiOptions } from './api.types.ts';
import { recordOf } from './audit-note.ts';
import { makeBackup } from './backup.ts';
import { getContent, putContent } from './content.ts';
import { insteadOf, insteadOfMethod } from './counterparts.ts';
import { createObject } from './creating.ts';
import { deleteCollection, deleteObject } from './deleting.ts';
import { DerivingStore } from './derived/deriving-store.ts';
import { addDescription } from './description.ts';
import { allowsDeleteCollection, DAEMON_GROUP } from './discovery.ts';
import { addDiscovery, basePath } from './discovery-routes.ts';
import { federatedList } from './federated-list.ts';
import { federatedWatch } from './federated-watch.ts';
import type { Principal } from './handlers.types.ts';
import { hostCheck, isOurOrigin, knownHosts } from './hosts.ts';
import { getMetrics, METRICS_PATH } from './metrics.ts';
import { exportParcel, importParcel } from './parcels.ts';
import { addProbes } from './probes.ts';
import { getObject, listObjects } from './reading.ts';
import { type Api, type ApiContext, type ApiEnv, answerJson, flag } from './request.ts';
import { RequestCounts, type RequestOrigin } from './request-counts.ts';
import { addReviews } from './reviews/reviews.ts';
import { RememberingRouter } from './router.ts';
import { statusOf } from './status.ts';
import { ViewHistory } from './view-history.ts';
import { watchObjects } from './watching.ts';
import { patchObject, replaceObject } from './writing.ts';

/** Watches and streams open at once; each costs a connection. */
const MAX_STREAMS = 1000;
/** Longer tokens are nobody's. */
const MAX_TOKEN = 4096;

type Handler = (api: Api, c: ApiContext, kind: Kind) => Promise<Response> | Response;
interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  verb: Verb;
  handle: Handler;
}

const listOrWatch: Handler = (api, c, kind) => {
  if (!flag(c, 'watch')) return federatedList(api, c, kind) ?? listObjects(api, c, kind);
  if (!kind.verbs.includes('watch')) throw notAllowed(c, kind);
  return federatedWatch(api, c, kind) ?? watchObjects(api, c, kind);
};
const getOrWatch: Handler = (api, c, kind) =>
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
/** Over all namespaces one can only look. */
const EVERYWHERE = COLLECTION.filter((route) => route.method === 'GET');

/** Makes the application. `closing` aborts when its server goes down; `counts` hears of every request. */
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
  };
  counts.streams = () => api.streams.open;
  const app = new Hono<ApiEnv>({ router: new RememberingRouter() });
  receive(api, app, counts);
  app.onError((error, c) => answerError(api, c, error));
  app.notFound((c) => answerError(api, c, unknownPath(c)));
  addProbes(api, app);
  addDescription(api, app);
  authenticate(api, app);
  app.get(METRICS_PATH, (c) => getMetrics(api, c));
  addDiscovery(app, api.extensions.subresources.keys());
  addReviews(api, app);
  for (const kind of KINDS) addKind(api, app, kind);
  app.put(`/apis/${DAEMON_GROUP}/v1/daemon/content`, (c) => putContent(api, c));
  app.get(`/apis/${DAEMON_GROUP}/v1/daemon/content/:digest`, (c) => getContent(api, c));
  app.post(`/apis/${DAEMON_GROUP}/v1/daemon/backup`, (c) => makeBackup(api, c));
  app.post(`/apis/${DAEMON_GROUP}/v1/daemon/parcel`, (c) => importParcel(api, c));
  app.post(`/apis/${DAEMON_GROUP}/v1/daemon/parcel/export`, (c) => exportParcel(api, c));
  app.all(`/apis/${DAEMON_GROUP}/v1/daemon/:rest{.+}`, (c) => daemonAction(api, c));
  return app;
}

function answerError(api: Pick<Api, 'logger'>, c: ApiContext, error: unknown): Response {
  const status = statusOf(error, c.get('about'), (unexpected) => {
    api.logger.error({ err: unexpected, method: c.req.method, path: c.req.path }, 'A request failed unexpectedly');
  });
  const response = answerJson(c, status, status.code);
  if (status.code === 401) response.headers.set('www-authenticate', 'Bearer realm="dtkd"');
  // the rest of a body that is too large is not waited for
  if (status.code === 413) response.headers.set('connection', 'close');
  if (status.code === 429) response.headers.set('retry-after', '1');
  return response;
}

/** What comes first and last of every request, in one step: each costs a few promises. */
function receive(api: Api, app: Hono<ApiEnv>, counts: RequestCounts): void {
  const known = knownHosts([api.node.name, ...(api.hosts ?? [])]);
  const isOurs = hostCheck(known);
  app.use(async (c, next) => {
    c.set('about', {});
    c.set('warnings', []);
    c.set('note', { verb: c.req.method, what: c.req.path.slice(0, 253), change: false });
    const began = performance.now();
    if (c.env?.remote === undefined && c.env?.own === undefined) assertOurs(c, known, isOurs);
    await next();
    writeDown(api, c);
    counts.add(c.get('note').verb, originOf(c), c.res.status, performance.now() - began);
  });
}

function originOf(c: ApiContext): RequestOrigin {
  if (c.env?.remote !== undefined) return 'member';
  return c.env?.own === undefined ? 'client' : 'daemon';
}

function assertOurs(c: ApiContext, known: ReadonlySet<string>, isOurs: ReturnType<typeof hostCheck>): void {
  const host = c.req.header('host');
  if (!isOurs(host, c.env?.incoming?.socket.localAddress)) {
    throw new DtkdError('WRONG_HOST', `this API is not served as "${(host ?? '').slice(0, 253)}"`, {
      next: `Use one of ${[...known].join(', ')}.`,
    });
  }
  if (!isOurOrigin(c.req.header('origin'), host)) {
    throw new DtkdError('WRONG_HOST', `pages of "${(c.req.header('origin') ?? '').slice(0, 253)}" may not use this API`, {
      next: 'Use a client that is no web page of another site.',
    });
  }
}

/** One line of the audit log for each request that wants one. A stream has its line when it begins. */
function writeDown(api: Api, c: ApiContext): void {
  const principal: Principal | undefined = c.get('principal');
  const line = principal === undefined ? undefined : recordOf(principal, c.get('note'), c.res.status, c.error);
  if (line !== undefined) api.audit?.record(line);
}

function authenticate(api: Api, app: Hono<ApiEnv>): void {
  app.use((c, next) => {
    const own = c.env?.own;
    if (own !== undefined) {
      c.set('principal', own.principal);
      return next();
    }
    const remote = c.env?.remote;
    if (remote !== undefined) {
      c.set('principal', remote.principal);
      assertForMembers(c);
      return next();
    }
    const token = /^Bearer ([^\s]+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (token === undefined) {
      throw new DtkdError('UNAUTHORIZED', 'this request carries no bearer token', {
        next: 'Send "Authorization: Bearer TOKEN" with the token of the file admin.token in the data directory.',
      });
    }
    const principal = token.length > MAX_TOKEN ? undefined : api.access.authenticate(token);
    if (principal === undefined) {
      throw new DtkdError('UNAUTHORIZED', 'the bearer token is not valid here', {
        next: "It may have been rotated: read the file admin.token in the data directory again; a user asks for a new token. A user's token counts at the node that made it.",
      });
    }
    c.set('principal', principal);
    assertNobodyElse(c);
    return next();
  });
}

/** Without one of these no client means somebody else. */
const DISCOVERY = /^\/(api(\/v1)?|apis(\/[^/]+){0,2})$/;
const IMPERSONATION = ['impersonate-user', 'impersonate-group', 'impersonate-uid'];

/** A client that says it acts as somebody else would take the answers for theirs. */
function assertNobodyElse(c: ApiContext): void {
  // discovery is the same for everybody, and clients show no words of its refusals
  if (IMPERSONATION.every((name) => c.req.header(name) === undefined) || DISCOVERY.test(c.req.path)) return;
  throw new DtkdError('FORBIDDEN', 'nobody may act as somebody else here', {
    next: 'Use a token of that user; what somebody else may do tells "dtkd can USER@NODE VERB KIND".',
  });
}

/** What members may ask for on behalf of their users: objects in this node's namespace, and three questions. */
const FOR_MEMBERS = /^\/(api\/v1|apis\/[a-z0-9.-]+\/v1)\/namespaces\/default\/|^\/apis\/dtkd\.dev\/v1\/daemon\/(whoami|can|rules)$/;

function assertForMembers(c: ApiContext): void {
  if (FOR_MEMBERS.test(c.req.path)) return;
  const reason = `a member may not ask for ${c.req.path.slice(0, 253)}`;
  c.get('note').because = reason;
  throw new DtkdError('FORBIDDEN', reason, { next: 'Ask in the namespace "default", which is the asked node.' });
}

function addKind(api: Api, app: Hono<ApiEnv>, kind: Kind): void {
  const everywhere = `${basePath(kind)}/${kind.plural}`;
  const collection = kind.scope === 'Cluster' ? everywhere : `${basePath(kind)}/namespaces/:namespace/${kind.plural}`;
  if (kind.scope === 'Namespaced') addRoutes(api, app, kind, everywhere, EVERYWHERE);
  addRoutes(api, app, kind, collection, COLLECTION);
  addRoutes(api, app, kind, `${collection}/:name`, OBJECT);
  if (kind.scope === 'Namespaced') app.all(`${collection}/:name/:rest{.+}`, (c) => objectAction(api, c, kind));
}

function addRoutes(api: Api, app: Hono<ApiEnv>, kind: Kind, path: string, routes: readonly Route[]): void {
  const offered = routes.filter(
    (route) => kind.verbs.includes(route.verb) && (route.handle !== deleteCollection || allowsDeleteCollection(kind)),
  );
  for (const route of offered) app.on(route.method, path, (c) => route.handle(api, c, kind));
  app.all(path, (c) => {
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
