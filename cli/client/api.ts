import { DtkdError } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/kinds/kind.ts';
import { isRecord, type JsonRecord, parseJson, textAt, valueAt } from '../json.ts';
import { type HttpAnswer, type HttpRequest, type HttpsClient, readLines, readText } from './https.ts';

/** The API's alias for the node that answers; returned objects carry its real name. */
export const THIS_NODE = 'default';
export const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
/** An unknown field is treated as a typing error, as in kubectl. */
const STRICT: Selection = { fieldValidation: 'Strict' };
const DAEMON = '/apis/dtkd.dev/v1/daemon';
/**
 * The status with which a daemon says that it has no room for one more request; how often the request is sent again; and the longest wait
 * before that, in seconds.
 */
const BUSY = 429;
const MAX_AGAIN = 5;
const MAX_REST_S = 10;

/** Where a request goes; no `namespace` means all nodes for a list, and this node for one object. */
export interface Target {
  kind: Pick<Kind, 'group' | 'version' | 'plural' | 'scope'>;
  namespace?: string | undefined;
  name?: string | undefined;
  /** Path segments below the object. */
  sub?: readonly string[];
  /** Further query parameters. */
  query?: Readonly<Record<string, string>>;
}

export interface Selection {
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** An expression, e.g. `type=Service and properties.port>8000`. */
  where?: string | undefined;
  /** Adds what absent nodes last answered. */
  stale?: boolean | undefined;
  /** How long each other node may take, in milliseconds. */
  peerTimeoutMs?: number | undefined;
  /** Also deletes the dependents of the object. */
  cascade?: boolean | undefined;
  limit?: number | undefined;
  continue?: string | undefined;
  resourceVersion?: string | undefined;
  watch?: boolean | undefined;
  /** Requests bookmark events, which only say how far a watch has come. */
  allowWatchBookmarks?: boolean | undefined;
  dryRun?: boolean | undefined;
  fieldValidation?: 'Strict';
}

export interface ApiOptions {
  /** Called with each `Warning` of the daemon. */
  onWarning(text: string): void;
}

/** The Kubernetes-shaped API of one daemon: paths, verbs, errors. */
export class ApiClient {
  readonly #https: HttpsClient;
  readonly #onWarning: (text: string) => void;

  constructor(https: HttpsClient, options: ApiOptions) {
    this.#https = https;
    this.#onWarning = options.onWarning;
  }

  get https(): HttpsClient {
    return this.#https;
  }

  get(target: Target, selection: Selection = {}, accept?: string): Promise<JsonRecord> {
    return this.#json({ method: 'GET', path: pathOf(target, selection), ...(accept === undefined ? {} : { accept }) });
  }

  /** The object, or undefined if there is none. */
  async find(target: Target): Promise<JsonRecord | undefined> {
    try {
      return await this.get(target);
    } catch (error) {
      if (error instanceof DtkdError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** All pages of a list, one after the other. */
  async *pages(target: Target, selection: Selection, pageSize: number, accept?: string): AsyncGenerator<JsonRecord> {
    let left = selection.limit ?? Number.POSITIVE_INFINITY;
    let next: string | undefined;
    do {
      const page = await this.get(target, { ...selection, limit: Math.min(left, pageSize), continue: next }, accept);
      yield page;
      left -= (Array.isArray(page['items']) ? page['items'] : Array.isArray(page['rows']) ? page['rows'] : []).length;
      next = textAt(page, 'metadata', 'continue') || undefined;
    } while (next !== undefined && left > 0);
  }

  /** Events of a watch until it ends: `{type, object}`. */
  async *watch(target: Target, selection: Selection, options: { accept?: string; signal?: AbortSignal } = {}): AsyncGenerator<JsonRecord> {
    const lines = this.#lines({ method: 'GET', path: pathOf(target, { ...selection, watch: true }), ...options });
    for await (const event of lines) {
      if (!isRecord(event)) continue;
      if (event['type'] === 'ERROR') throw await errorOf(numberOr(event['object'], 500), event['object']);
      yield event;
    }
  }

  create(target: Target, object: unknown, selection: Selection = {}): Promise<JsonRecord> {
    return this.#json({ method: 'POST', path: pathOf(target, { ...STRICT, ...selection }), body: object });
  }

  replace(target: Target, object: unknown, selection: Selection = {}): Promise<JsonRecord> {
    return this.#json({ method: 'PUT', path: pathOf(target, { ...STRICT, ...selection }), body: object });
  }

  patch(target: Target, patch: unknown, type: 'merge' | 'json', selection: Selection = {}): Promise<JsonRecord> {
    return this.#json({
      method: 'PATCH',
      path: pathOf(target, { ...STRICT, ...selection }),
      body: patch,
      contentType: `application/${type}-patch+json`,
    });
  }

  delete(target: Target, selection: Selection = {}): Promise<JsonRecord> {
    return this.#json({ method: 'DELETE', path: pathOf(target, selection) });
  }

  /** Calls a subresource that answers with one JSON value. `endless`: waits for the answer without a limit. */
  call(
    method: 'GET' | 'POST' | 'DELETE',
    target: Target,
    body?: unknown,
    options: { signal?: AbortSignal; endless?: boolean } = {},
  ): Promise<JsonRecord> {
    return this.#json({ method, path: pathOf(target, {}), ...(body === undefined ? {} : { body }), ...options });
  }

  /** Reads a subresource that streams JSON values. */
  lines(target: Target, signal: AbortSignal): AsyncGenerator<unknown> {
    return this.#lines({ method: 'GET', path: pathOf(target, {}), signal });
  }

  /** Posts to a subresource that streams JSON values. */
  stream(target: Target, body: unknown, signal: AbortSignal): AsyncGenerator<unknown> {
    return this.#lines({ method: 'POST', path: pathOf(target, {}), body, signal });
  }

  /** Calls a daemon-wide action. */
  daemon(method: 'GET' | 'POST', action: string, body?: unknown, signal?: AbortSignal): Promise<JsonRecord> {
    return this.#json({ method, path: `${DAEMON}/${action}`, ...(body === undefined ? {} : { body }), ...withSignal(signal) });
  }

  /** Calls a daemon-wide action that streams JSON values; POST if there is a body. */
  daemonLines(action: string, body?: unknown, signal?: AbortSignal): AsyncGenerator<unknown> {
    const method = body === undefined ? 'GET' : 'POST';
    return this.#lines({ method, path: `${DAEMON}/${action}`, ...(body === undefined ? {} : { body }), ...withSignal(signal) });
  }

  version(): Promise<JsonRecord> {
    return this.#json({ method: 'GET', path: '/version' });
  }

  close(): void {
    this.#https.close();
  }

  async #json(request: HttpRequest): Promise<JsonRecord> {
    let answer = await this.#https.send(request);
    let body = parseJson(await readText(answer.message));
    for (let again = 0; answer.status === BUSY && request.method === 'GET' && again < MAX_AGAIN; again += 1) {
      await restOf(answer, request.signal);
      answer = await this.#https.send(request);
      body = parseJson(await readText(answer.message));
    }
    // a list with a statement about each node says more than the few warnings that come with it
    if (!isRecord(valueAt(body, 'metadata')) || valueAt(body, 'metadata', 'completeness') === undefined) this.#warn(answer);
    if (answer.status >= 400) throw await errorOf(answer.status, body);
    if (isRecord(body)) return body;
    throw notDtkd(this.#https.connection.url);
  }

  async *#lines(request: HttpRequest): AsyncGenerator<unknown> {
    const answer = await this.#send({ ...request, endless: true });
    if (answer.status >= 400) throw await errorOf(answer.status, parseJson(await readText(answer.message)));
    yield* readLines(answer.message);
  }

  async #send(request: HttpRequest): Promise<HttpAnswer> {
    const answer = await this.#https.send(request);
    this.#warn(answer);
    return answer;
  }

  #warn(answer: HttpAnswer): void {
    for (const warning of answer.warnings) this.#onWarning(warning);
  }
}

/** The path of a list, an object or a subresource. */
function pathOf(target: Target, selection: Selection): string {
  const { kind, name } = target;
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const namespace = target.namespace ?? (name === undefined ? undefined : THIS_NODE);
  const parts = [
    ...(kind.scope === 'Namespaced' && namespace !== undefined ? ['namespaces', namespace] : []),
    kind.plural,
    ...(name === undefined ? [] : [name]),
    ...(target.sub ?? []),
  ];
  if (parts.some(namesNothing)) throw nameless(namespace !== undefined && namesNothing(namespace) ? 'nodes' : kind.plural);
  const query = new URLSearchParams(target.query);
  for (const [key, value] of Object.entries(selection)) {
    if (value === undefined || value === false || value === Number.POSITIVE_INFINITY) continue;
    query.set(key, key === 'dryRun' ? 'All' : String(value));
  }
  const text = query.toString();
  return `${base}/${parts.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

/** Empty, as from an unset shell variable, or a dot segment, which URLs resolve: either would make it the path of something else. */
function namesNothing(part: string): boolean {
  return part === '' || part === '.' || part === '..';
}

function nameless(plural: string): DtkdError {
  return new DtkdError('BAD_REQUEST', 'a name cannot be empty or only dots', {
    next: `Give the name of one; "dtkd get ${plural}" lists them.`,
  });
}

/** Waits as long as the daemon asks in Retry-After, up to MAX_REST_S; one second by default. */
async function restOf({ message }: HttpAnswer, signal: AbortSignal | undefined): Promise<void> {
  const told = Number(message.headers['retry-after'] ?? 1);
  const seconds = Number.isFinite(told) ? Math.min(MAX_REST_S, Math.max(0, told)) : 1;
  await process.getBuiltinModule('node:timers/promises').setTimeout(seconds * 1000, undefined, withSignal(signal));
}

/** Converts a failed answer to an error. Loads the module for it on demand, since that loads every kind. */
async function errorOf(httpStatus: number, body: unknown): Promise<DtkdError> {
  const { errorOfStatus } = await import('./status-error.ts');
  return errorOfStatus(httpStatus, body);
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function numberOr(value: unknown, otherwise: number): number {
  const code = isRecord(value) ? value['code'] : undefined;
  return typeof code === 'number' ? code : otherwise;
}

function notDtkd(url: URL): DtkdError {
  return new DtkdError('NOT_DTKD', `what answers at ${url.origin} does not speak the API of dtkd`, { next: 'Check --url.' });
}
