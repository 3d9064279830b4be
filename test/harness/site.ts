/**
 * One real daemon process with its data directory: starts it as a user would, waits until it is ready, talks to its API over HTTPS with
 * its own token, runs the CLI against it, and ends it in every way. Holds no state of the daemon but its process and its addresses.
 */
import { mkdir, readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { z } from 'zod';
import { kindByAnyName } from '../../protocol/kinds/index.ts';
import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { waitFor } from '../wait.ts';
import { Child, type Exit, parentOf, rssOf, run } from './child.ts';
import type { Gate } from './gate.ts';
import { type Answer, fetchText, open, type Target } from './http.ts';
import { DTKD, NODE } from './node-binary.ts';
import { freePort } from './ports.ts';

/** Tests poll; a TLS handshake for each look would be most of what the daemons do. */
const MAX_API_CONNECTIONS = 32;

/** A watch may say nothing for as long as a test runs. */
const STREAM_IDLE_MS = 600_000;

const endpointFile = z.looseObject({ api: z.string(), pid: z.number(), ingress: z.object({ host: z.string(), port: z.number() }) });
const apiObject = z.custom<ApiObject>((value) => z.looseObject({ metadata: z.looseObject({ name: z.string() }) }).safeParse(value).success);
const apiList = z.looseObject({ items: z.array(apiObject) });

export interface SiteOptions {
  name: string;
  /** The data directory; made if it is not there. */
  dir: string;
  /** Where output goes. */
  logFile: string;
  /** Default: a free loopback port, the same at every restart. */
  mesh?: string;
  api?: string;
  ingress?: string;
  /** mDNS is off unless a test is about it: sites of other tests share the loopback network. */
  mdns?: boolean;
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** The network namespace and the door into it. */
  inside?: { netns: string; gate: Gate; address: string };
  /** What runs dtkd; default: this checkout, by the Node of the `node` package. */
  program?: readonly string[];
  /** Runs the daemon and the CLI through another program, into a mount namespace of their own. */
  wrapper?: readonly string[];
  /** Where this process sees the data directory, if `wrapper` hides it. */
  seenAt?: string;
}

export interface ApiAnswer {
  status: number;
  headers: Answer['headers'];
  body: unknown;
}

/** An answer other than 2xx, with the code that the daemon gave. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly code: string | undefined;
  readonly body: unknown;

  constructor(what: string, answer: ApiAnswer) {
    const parsed = z.looseObject({ message: z.string(), details: z.looseObject({ code: z.string() }).optional() }).safeParse(answer.body);
    super(`${what}: ${answer.status} ${parsed.success ? parsed.data.message : JSON.stringify(answer.body)}`);
    this.status = answer.status;
    this.code = parsed.success ? parsed.data.details?.code : undefined;
    this.body = answer.body;
  }
}

export class Site {
  readonly name: string;
  readonly dir: string;
  readonly options: SiteOptions;
  #child: Child | undefined;
  #meshPort: number | undefined;
  /** Of the daemon itself, where something else started it. */
  #pid = 0;
  #api = '';
  #ingress = { host: '', port: 0 };
  #ca = '';
  #token = '';
  #agent = new Agent({ keepAlive: true, maxSockets: MAX_API_CONNECTIONS });

  constructor(options: SiteOptions) {
    this.options = options;
    this.name = options.name;
    this.dir = options.dir;
  }

  get child(): Child {
    if (this.#child === undefined) throw new Error(`${this.name} has not been started`);
    return this.#child;
  }

  get running(): boolean {
    return this.#child?.running === true;
  }

  /** The data directory as this process sees it. */
  get seenAt(): string {
    return this.options.seenAt ?? this.dir;
  }

  get apiUrl(): string {
    return this.#api;
  }

  get token(): string {
    return this.#token;
  }

  /** The address at which other sites reach this one's mesh. */
  get meshAddress(): string {
    return this.options.inside === undefined ? `127.0.0.1:${this.#meshPort}` : this.options.inside.address;
  }

  /** Starts the process without waiting for anything. */
  async spawn(extra: readonly string[] = []): Promise<Child> {
    if (this.options.seenAt === undefined) await mkdir(this.dir, { recursive: true }).catch(() => undefined);
    const { inside, wrapper = [] } = this.options;
    if (inside === undefined && this.options.mesh === undefined) this.#meshPort ??= await freePort();
    const line = [
      ...wrapper,
      ...this.#program,
      'up',
      '--data',
      this.dir,
      '--name',
      this.name,
      '--api',
      this.options.api ?? (inside === undefined ? '127.0.0.1:0' : '127.0.0.1:7700'),
      '--mesh',
      this.options.mesh ?? (inside === undefined ? `127.0.0.1:${this.#meshPort}` : `${inside.address}:7701`),
      '--ingress',
      this.options.ingress ?? (inside === undefined ? '127.0.0.1:0' : '127.0.0.1:7702'),
      ...(this.options.mdns === true ? [] : ['--no-mdns']),
      ...(this.options.args ?? []),
      ...extra,
    ];
    this.#child = new Child({
      command: line[0] ?? NODE,
      args: line.slice(1),
      env: this.#environment(),
      logFile: this.options.logFile,
      ...(inside === undefined ? {} : { netns: inside.netns }),
    });
    return this.#child;
  }

  /** Starts the daemon and waits until it says that it is ready. */
  async start(): Promise<this> {
    const child = await this.spawn();
    // Connections to the daemon that ran before are of no use.
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: MAX_API_CONNECTIONS });
    const endpoint = await child.until(() => this.#endpointOf(child), { what: `${this.name} to write its endpoint` });
    this.#pid = endpoint.pid;
    this.#api = endpoint.api;
    this.#ingress = endpoint.ingress;
    this.#ca = await readFile(join(this.seenAt, 'ca.crt'), 'utf8');
    this.#token = (await readFile(join(this.seenAt, 'admin.token'), 'utf8')).trim();
    await child.until(async () => (await this.#request('/readyz')).status === 200, { what: `${this.name} to be ready` });
    return this;
  }

  /** Starts a daemon that is expected to refuse; resolves with how it ended. */
  async startRefused(extra: readonly string[] = []): Promise<Exit & { output: string }> {
    const child = await this.spawn(extra);
    const exit = await waitFor(() => (child.running ? undefined : child.exited), { what: `${this.name} to refuse to start` });
    return { ...exit, output: `${child.stdout}${child.stderr}` };
  }

  /** SIGTERM; fails unless the daemon ends with status 0. */
  async stop(): Promise<void> {
    const exit = await this.child.end('SIGTERM');
    if (exit.code !== 0) throw new Error(`${this.name} ended with ${exit.code ?? exit.signal} on SIGTERM:\n${this.child.tail()}`);
  }

  /** Ends the daemon with no chance to tidy up, as a power cut would. */
  async kill9(): Promise<void> {
    await this.child.end('SIGKILL');
  }

  /** Stops the process in mid-air: its connections stay, and nothing answers. */
  freeze(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  async restart(): Promise<void> {
    if (this.running) await this.stop();
    await this.start();
  }

  async rss(): Promise<number> {
    return rssOf(this.child.pid);
  }

  /** A request to the API as the operator; any status is an answer. */
  async api(
    path: string,
    options: { method?: string; body?: unknown; contentType?: string; headers?: Record<string, string> } = {},
  ): Promise<ApiAnswer> {
    const answer = await this.#request(path, {
      ...(options.method === undefined ? {} : { method: options.method }),
      headers: {
        ...(options.body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    return { status: answer.status, headers: answer.headers, body: parseBody(answer) };
  }

  /** Opens an answer of the API that streams. It has a connection of its own. */
  async openApi(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    const url = new URL(this.#api);
    const target = await this.#target(url.hostname, Number(url.port));
    return open({
      target,
      path,
      ca: this.#ca,
      timeoutMs: STREAM_IDLE_MS,
      headers: { host: url.host, authorization: `Bearer ${this.#token}`, ...headers },
    });
  }

  /** As `api`, but anything but 2xx is an ApiFailure. */
  async call(path: string, options: { method?: string; body?: unknown; contentType?: string } = {}): Promise<unknown> {
    const answer = await this.api(path, options);
    if (answer.status >= 300) throw new ApiFailure(`${options.method ?? 'GET'} ${path} at ${this.name}`, answer);
    return answer.body;
  }

  /** The path of a kind's collection, or of an object, or of something below it. */
  path(kindName: string, name?: string, options: { namespace?: string; sub?: string; all?: boolean } = {}): string {
    const kind = kindByAnyName(kindName);
    if (kind === undefined) throw new Error(`there is no kind ${kindName}`);
    const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`;
    const namespace = kind.scope === 'Cluster' || options.all === true ? '' : `/namespaces/${options.namespace ?? this.name}`;
    const object = name === undefined ? '' : `/${name}${options.sub === undefined ? '' : `/${options.sub}`}`;
    return `${root}${namespace}/${kind.plural}${object}`;
  }

  async get(kind: string, name: string, namespace?: string): Promise<ApiObject | undefined> {
    const answer = await this.api(this.path(kind, name, namespace === undefined ? {} : { namespace }));
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw new ApiFailure(`get ${kind} ${name} at ${this.name}`, answer);
    return apiObject.parse(answer.body);
  }

  async list(kind: string, options: { all?: boolean; namespace?: string; query?: string } = {}): Promise<ApiObject[]> {
    const query = options.query === undefined ? '' : `?${options.query}`;
    return apiList.parse(await this.call(`${this.path(kind, undefined, options)}${query}`)).items;
  }

  async create(document: Record<string, unknown>): Promise<ApiObject> {
    return apiObject.parse(await this.call(this.path(String(document['kind'])), { method: 'POST', body: document }));
  }

  async delete(kind: string, name: string, namespace?: string): Promise<void> {
    await this.call(this.path(kind, name, namespace === undefined ? {} : { namespace }), { method: 'DELETE' });
  }

  /** Waits until the object is there and `condition`, if given, holds for it. */
  async waitForObject(
    kind: string,
    name: string,
    condition: (object: ApiObject) => boolean = () => true,
    timeoutMs?: number,
  ): Promise<ApiObject> {
    return waitFor(
      async () => {
        const object = await this.get(kind, name);
        return object !== undefined && condition(object) ? object : undefined;
      },
      { what: `${kind} ${name} at ${this.name}`, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    );
  }

  /** The object, once it is gone. */
  async waitForAbsence(kind: string, name: string): Promise<void> {
    await waitFor(async () => (await this.get(kind, name)) === undefined, { what: `${kind} ${name} to be gone at ${this.name}` });
  }

  /** Runs `dtkd ARGS` against this daemon, as its operator would. */
  async cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return this.cliWith({}, ...args);
  }

  async cliWith(options: { stdin?: string }, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const line = [...(this.options.wrapper ?? []), ...this.#program, '--data', this.dir, ...args];
    return run({
      command: line[0] ?? NODE,
      args: line.slice(1),
      env: this.#environment(),
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
      ...(this.options.inside === undefined ? {} : { netns: this.options.inside.netns }),
    });
  }

  /** Where this site's ingress listens. */
  async ingress(): Promise<Target> {
    return this.#target(this.#ingress.host, this.#ingress.port);
  }

  /** Opens a URI that a dtApp shows at this site, by way of the site's ingress. */
  async openUri(
    uri: string,
    options: { path?: string; method?: string; headers?: Record<string, string>; body?: string; signal?: AbortSignal } = {},
  ): Promise<IncomingMessage> {
    const { path, ...rest } = options;
    return open({ ...rest, target: await this.ingress(), path: path ?? '/', headers: { host: new URL(uri).host, ...options.headers } });
  }

  async fetchUri(
    uri: string,
    options: { path?: string; method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<Answer> {
    const { path, ...rest } = options;
    return fetchText({
      ...rest,
      target: await this.ingress(),
      path: path ?? '/',
      headers: { host: new URL(uri).host, ...options.headers },
    });
  }

  async #request(path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Answer> {
    const url = new URL(this.#api);
    return fetchText({
      ...options,
      target: await this.#target(url.hostname, Number(url.port)),
      path,
      ca: this.#ca,
      agent: this.#agent,
      headers: { host: url.host, authorization: `Bearer ${this.#token}`, ...options.headers },
    });
  }

  async #target(host: string, port: number): Promise<Target> {
    const { inside } = this.options;
    return inside === undefined ? { host, port } : inside.gate.to(host, port);
  }

  async #endpointOf(child: Child): Promise<z.infer<typeof endpointFile> | undefined> {
    const text = await readFile(join(this.seenAt, 'endpoint.json'), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const endpoint = endpointFile.parse(JSON.parse(text));
    return endpoint.pid === child.pid || (await parentOf(endpoint.pid)) === child.pid ? endpoint : undefined;
  }

  get #program(): readonly string[] {
    return this.options.program ?? [NODE, DTKD];
  }

  /** The surroundings of the test runner must not configure the daemon. */
  #environment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([key]) => !/^(DTKD_|VITEST|NODE_|npm_)/.test(key));
    return { ...Object.fromEntries(inherited), ...this.options.env };
  }
}

function parseBody(answer: Answer): unknown {
  if (!String(answer.headers['content-type'] ?? '').includes('json')) return answer.body;
  return answer.body === '' ? undefined : JSON.parse(answer.body);
}
