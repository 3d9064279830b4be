/**
 * Wraps the handler of every request: checks that the request is for this daemon and who makes it, answers errors, counts, and
 * writes to the audit log. This is one step around each handler rather than a chain of middleware: each link of a chain costs
 * promises, and an answer that is ready at once needs none.
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

/** Maximum length of a token; no valid token is longer. */
const MAX_TOKEN = 4096;

/**
 * Maximum number of running requests of one user over all its connections, and of all users. The latter is half of the connections;
 * the rest is left to the operator.
 */
const MAX_UNDERWAY = 256;
const MAX_UNDERWAY_IN_ALL = 1024;

export const newUnderway = (): Turns => new Turns({ each: MAX_UNDERWAY, all: MAX_UNDERWAY_IN_ALL, sharing: true, waitingEach: 0 });

export type Handler = (c: ApiContext) => Soon<Response>;

/** Adds a route. If several match a request, the first one counts. */
export type AddRoute = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'ALL', path: string, handle: Handler) => void;

export interface Reception {
  /** Lets everybody in. */
  open(handle: Handler): Handler;
  /** Lets in only those who say who they are. */
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
        // nobody reads the body: this closes files and watches that are open for it
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
  // the rest of an oversized body is not read
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
      next: 'Use a client that is not a web page of another site.',
    });
  }
}

/** Writes one line to the audit log for each request that needs one. A stream gets its line when it begins. */
function writeDown(api: Api, c: ApiContext, status: number, error: unknown): void {
  const principal: Principal | undefined = c.get('principal');
  const line = principal === undefined ? undefined : recordOf(principal, c.get('note'), status, error);
  if (line !== undefined) api.audit?.record(line);
}

/** Finds out who the caller is, or refuses. */
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

/** Keeps a user's requests within their share of the connections. An answer counts until the client has taken it. */
function countIn({ underway }: Api, c: ApiContext): void {
  const principal = c.get('principal');
  const outgoing = c.env?.outgoing;
  if (principal.type === 'operator' || outgoing === undefined) return;
  const end = underway.take(subjectText(principal), () => {});
  if (end === undefined) {
    throw new DtkdError('TOO_MANY_REQUESTS', `too many requests of ${principal.display} are under way here already`, {
      next: 'Wait for their answers, and read them.',
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
    next: "It may have been rotated: read the file admin.token in the data directory again; a user asks for a new token. A user's token is valid only at the node that made it.",
  });
}

/** A client that means somebody else sends at least one of the impersonation headers below. Discovery paths accept them. */
const DISCOVERY = /^\/(api(\/v1)?|apis(\/[^/]+){0,2})$/;
const IMPERSONATION = ['impersonate-user', 'impersonate-group', 'impersonate-uid'];

/** Refuses impersonation: a client that says it acts as somebody else would take the answers for theirs. */
function assertNobodyElse(c: ApiContext): void {
  // discovery is the same for everybody, and clients do not show the text of its refusals
  if (IMPERSONATION.every((name) => c.req.header(name) === undefined) || DISCOVERY.test(c.req.path)) return;
  throw new DtkdError('FORBIDDEN', 'impersonation is not supported here', {
    next: 'Use a token of that user; "dtkd can USER@NODE VERB KIND" shows what another user may do.',
  });
}

/** What members may ask for on behalf of their users: objects in this node's namespace, and three questions about rights. */
const FOR_MEMBERS = /^\/(api\/v1|apis\/[a-z0-9.-]+\/v1)\/namespaces\/default\/|^\/apis\/dtkd\.dev\/v1\/daemon\/(whoami|can|rules)$/;

function assertForMembers(c: ApiContext): void {
  if (FOR_MEMBERS.test(c.req.path)) return;
  const reason = `a member may not ask for ${c.req.path.slice(0, 253)}`;
  c.get('note').because = reason;
  throw new DtkdError('FORBIDDEN', reason, { next: 'Ask in the namespace "default", which is the node that gets the request.' });
}
