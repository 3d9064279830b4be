/**
 * What comes before and after the handler of every request: whether it is for this daemon, who asks, how errors are answered, and what is counted and
 * written down. One step around each handler, and not a chain of middleware: a link of a chain costs promises, and an answer that is ready at once needs none.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { subjectText } from '../../../../protocol/rights/principal.ts';
import { Turns } from '../../counting/turns.ts';
import type { Soon } from '../flow/soon.ts';
import type { Principal } from '../handlers.types.ts';
import { recordOf } from '../request/audit-note.ts';
import { type Api, type ApiContext, answerJson, bearerToken } from '../request/request.ts';
import { statusOf } from '../request/status.ts';
import { hostCheck, isOurOrigin, knownHosts } from './hosts.ts';
import type { RequestCounts, RequestOrigin } from './request-counts.ts';

/** Longer tokens are nobody's. */
const MAX_TOKEN = 4096;

/** Requests of one user under way at once, over all of its connections, and of all users: half of the connections, which leaves the rest to the operator. */
const MAX_UNDERWAY = 256;
const MAX_UNDERWAY_IN_ALL = 1024;

export const newUnderway = (): Turns => new Turns({ each: MAX_UNDERWAY, all: MAX_UNDERWAY_IN_ALL, sharing: true, waitingEach: 0 });

export type Handler = (c: ApiContext) => Soon<Response>;

/** Adds a route. Of several that fit a request the first one counts. */
export type AddRoute = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'ALL', path: string, handle: Handler) => void;

export interface Reception {
  /** For everybody. */
  open(handle: Handler): Handler;
  /** For those who say who they are. */
  known(handle: Handler): Handler;
}

export function reception(api: Api, counts: RequestCounts): Reception {
  const known = knownHosts([api.node.name, ...(api.hosts ?? [])]);
  const isOurs = hostCheck(known);
  const around = (handle: Handler, admit: (api: Api, c: ApiContext) => void): Handler => {
    return (c) => {
      c.set('about', {});
      c.set('warnings', []);
      c.set('note', { verb: c.req.method, what: c.req.path.slice(0, 253), change: false });
      const began = performance.now();
      const end = (response: Response, error?: unknown): Response => {
        writeDown(api, c, response.status, error);
        counts.add(c.get('note').verb, originOf(c), response.status, performance.now() - began);
        // nobody reads it: files that are open for it, and watches, end here
        if (c.req.method === 'HEAD') void response.body?.cancel().catch(() => {});
        return response;
      };
      const fail = (error: unknown) => end(answerError(api, c, error), error);
      let response: Soon<Response>;
      try {
        if (c.env?.remote === undefined && c.env?.own === undefined) assertOurs(c, known, isOurs);
        admit(api, c);
        response = handle(c);
      } catch (error) {
        return fail(error);
      }
      return response instanceof Promise ? response.then((answered) => end(answered), fail) : end(response);
    };
  };
  return {
    open: (handle) => around(handle, () => {}),
    known: (handle) => around(handle, authenticate),
  };
}

export function answerError(api: Pick<Api, 'logger'>, c: ApiContext, error: unknown): Response {
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
function writeDown(api: Api, c: ApiContext, status: number, error: unknown): void {
  const principal: Principal | undefined = c.get('principal');
  const line = principal === undefined ? undefined : recordOf(principal, c.get('note'), status, error);
  if (line !== undefined) api.audit?.record(line);
}

/** Says who asks, or refuses. */
function authenticate(api: Api, c: ApiContext): void {
  const own = c.env?.own;
  const remote = c.env?.remote;
  if (own !== undefined) {
    c.set('principal', own.principal);
  } else if (remote !== undefined) {
    c.set('principal', remote.principal);
    assertForMembers(c);
  } else {
    c.set('principal', bearer(api, bearerToken(c)));
    countIn(api, c);
    assertNobodyElse(c);
  }
}

/** A user's requests take no more than their share of the connections; an answer counts until it was taken. */
function countIn({ underway }: Api, c: ApiContext): void {
  const principal = c.get('principal');
  const outgoing = c.env?.outgoing;
  if (principal.type === 'operator' || outgoing === undefined) return;
  const end = underway.take(subjectText(principal), () => {});
  if (end === undefined) {
    throw new DtkdError('TOO_MANY_REQUESTS', `as many requests of ${principal.display} are under way here already as there is room for`, {
      next: 'Wait for their answers, and take them.',
    });
  }
  outgoing.once('close', end);
}

function bearer(api: Api, token: string | undefined): Principal {
  if (token === undefined) {
    throw new DtkdError('UNAUTHORIZED', 'this request carries no bearer token', {
      next: 'Send "Authorization: Bearer TOKEN" with the token of the file admin.token in the data directory.',
    });
  }
  const principal = token.length > MAX_TOKEN ? undefined : api.access.authenticate(token);
  if (principal !== undefined) return principal;
  throw new DtkdError('UNAUTHORIZED', 'the bearer token is not valid here', {
    next: "It may have been rotated: read the file admin.token in the data directory again; a user asks for a new token. A user's token counts at the node that made it.",
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
