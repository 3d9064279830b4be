/**
 * A stand-in for a daemon: its API over HTTPS with objects in memory, a token, and answers that a test scripts. Keeps what it was asked.
 * It knows only as much of the API as the command line uses; the real one is tested with it in test/multinode.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createPlainServer, type IncomingMessage, type Server as PlainServer, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCertificates } from '../../daemon/src/api/listening/certificates.ts';
import { isRecord } from '../../protocol/encoding/json.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { KINDS } from '../../protocol/kinds/index.ts';
import { apiVersionOf, type Kind } from '../../protocol/kinds/kind.ts';
import { renderTable } from '../../protocol/kinds/table.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '../../protocol/objects/selectors.ts';
import { type Ran, runWarm } from './warm-cli.ts';

export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: unknown;
  /** Of what is no JSON. */
  bytes?: Buffer;
}

/** A scripted answer: a JSON value, an error, bytes, or lines that are sent one after the other while the connection stays open. */
export type Scripted = (asked: Asked) => unknown | { lines: AsyncIterable<unknown> } | { raw: string } | { octets: Uint8Array } | undefined;

const NODE_NAME = 'node0';

export class FakeDaemon {
  readonly dir: string;
  readonly url: string;
  readonly asked: Asked[] = [];
  readonly token = 'the-operator-token';
  /** Warnings sent with every answer to a write. */
  warnings: string[] = [];
  readonly #server: Server;
  readonly #local: PlainServer;
  readonly #objects = new Map<string, ApiObject>();
  readonly #scripts: { method: string; path: RegExp; answer: Scripted }[] = [];
  #version = 0;

  static async start(): Promise<FakeDaemon> {
    const dir = await mkdtemp(join(tmpdir(), 'dtkd-cli-'));
    const certificates = await openCertificates({ dir, names: [] });
    const server = createServer({ cert: certificates.cert, key: certificates.key });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const local = createPlainServer();
    await new Promise<void>((resolve) => local.listen(join(dir, 'api.sock'), resolve));
    const fake = new FakeDaemon(dir, server, local);
    await writeFile(join(dir, 'endpoint.json'), JSON.stringify({ api: fake.url, pid: process.pid, socket: 'api.sock' }));
    await writeFile(join(dir, 'admin.token'), `${fake.token}\n`, { mode: 0o600 });
    return fake;
  }

  private constructor(dir: string, server: Server, local: PlainServer) {
    this.dir = dir;
    this.#server = server;
    this.#local = local;
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const one of [server, local]) one.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Answers requests whose path matches; a later script wins over an earlier one. */
  script(method: string, path: RegExp, answer: Scripted): void {
    this.#scripts.unshift({ method, path, answer });
  }

  /** Stores an object as if it had been written before. */
  put(kind: Kind, name: string, fields: Record<string, unknown>, metadata: Partial<ApiObject['metadata']> = {}): ApiObject {
    return this.#store(kind, { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name, ...metadata }, ...fields });
  }

  object(kind: Kind, name: string): ApiObject | undefined {
    return this.#objects.get(`${kind.plural}/${name}`);
  }

  writes(): string[] {
    return this.asked.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`);
  }

  /** Runs the command line against this daemon. */
  async cli(...args: string[]): Promise<Ran> {
    return this.cliWith({}, ...args);
  }

  async cliWith(options: { stdin?: string; env?: NodeJS.ProcessEnv }, ...args: string[]): Promise<Ran> {
    return runCli({ ...options, env: { DTKD_DATA: this.dir, ...options.env } }, ...args);
  }

  async stop(): Promise<void> {
    for (const server of [this.#server, this.#local]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    await rm(this.dir, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    const bytes = Buffer.concat(parts);
    const json = request.headers['content-type'] !== 'application/octet-stream';
    const text = json ? bytes.toString() : '';
    const asked: Asked = {
      method: request.method ?? '',
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
      ...(json ? {} : { bytes }),
    };
    this.asked.push(asked);
    try {
      if (request.headers.authorization !== `Bearer ${this.token}`) throw new DtkdError('UNAUTHORIZED', 'the token is not known here');
      const script = this.#scripts.find(({ method, path }) => method === asked.method && path.test(asked.path));
      const answer = script === undefined ? this.#objectsAnswer(asked) : await script.answer(asked);
      if (asked.method !== 'GET') for (const warning of this.warnings) response.appendHeader('warning', `299 - "${warning}"`);
      await send(response, answer);
    } catch (error) {
      if (!(error instanceof DtkdError)) throw error;
      response.writeHead(error.httpStatus, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          kind: 'Status',
          apiVersion: 'v1',
          status: 'Failure',
          message: error.message,
          reason: error.reason,
          code: error.httpStatus,
          details: { ...error.details, code: error.code, next: error.next },
        }),
      );
    }
  }

  #objectsAnswer({ method, path, query, headers, body }: Asked): unknown {
    const match = /^\/apis?\/(?:([^/]+\.[^/]+)\/)?v1\/(?:namespaces\/[^/]+\/)?([a-z]+)(?:\/([^/]+))?$/.exec(path);
    const kind = KINDS.find((known) => known.plural === match?.[2] && known.group === (match?.[1] ?? ''));
    if (match === null || kind === undefined) throw new DtkdError('NOT_FOUND', `there is nothing at ${path}`);
    const name = match[3];
    const dryRun = query.get('dryRun') === 'All';
    if (name === undefined) return method === 'POST' ? this.#create(kind, body, dryRun) : this.#list(kind, query, headers.accept ?? '');
    const stored = this.object(kind, name);
    if (stored === undefined) throw new DtkdError('NOT_FOUND', `${kind.plural} "${name}" not found`, { next: 'Look at the list.' });
    if (method === 'DELETE') {
      if (!dryRun) this.#objects.delete(`${kind.plural}/${name}`);
      return stored;
    }
    if (method === 'GET') {
      return (headers.accept ?? '').includes('as=Table') ? renderTable(kind, [stored], { now: Date.now() }) : stored;
    }
    const version = isRecord(body) && isRecord(body['metadata']) ? body['metadata']['resourceVersion'] : undefined;
    if (version !== undefined && version !== stored.metadata.resourceVersion) {
      throw new DtkdError('CONFLICT', `${kind.plural} "${name}" was changed by somebody else`);
    }
    if (dryRun) return stored;
    const given = body as ApiObject;
    if (method === 'PATCH') return this.#store(kind, { ...stored, ...given, metadata: { ...stored.metadata, ...given.metadata } });
    return this.#store(kind, given);
  }

  #create(kind: Kind, body: unknown, dryRun: boolean): ApiObject {
    const object = body as ApiObject;
    if (this.object(kind, object.metadata.name) !== undefined) {
      throw new DtkdError('ALREADY_EXISTS', `${kind.plural} "${object.metadata.name}" already exists`);
    }
    const parsed = kind.schema.safeParse(object);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new DtkdError('INVALID', `${kind.kind} "${object.metadata.name}": ${issue?.path.join('.')}: ${issue?.message}`);
    }
    return dryRun ? object : this.#store(kind, object);
  }

  #list(kind: Kind, query: URLSearchParams, accept: string): unknown {
    const labels = parseLabelSelector(query.get('labelSelector') ?? '');
    const fields = parseFieldSelector(query.get('fieldSelector') ?? '', ['metadata.name', ...kind.selectableFields]);
    const all = [...this.#objects]
      .filter(([key]) => key.startsWith(`${kind.plural}/`))
      .map(([, object]) => object)
      .filter((object) => matchesLabels(labels, object.metadata.labels) && matchesFields(fields, object));
    if (query.get('watch') === 'true') return { lines: once(all.map((object) => ({ type: 'ADDED', object }))) };
    const from = Number(query.get('continue') ?? 0);
    const items = all.slice(from, from + Number(query.get('limit') ?? all.length));
    const more = from + items.length < all.length ? { continue: String(from + items.length) } : {};
    const metadata = { resourceVersion: String(this.#version), ...more };
    const includeObject = query.get('includeObject') === 'Object' ? 'Object' : 'Metadata';
    if (accept.includes('as=Table')) return renderTable(kind, items, { now: Date.now(), includeObject, metadata });
    return { apiVersion: apiVersionOf(kind), kind: `${kind.kind}List`, metadata, items };
  }

  #store(kind: Kind, object: { apiVersion: string; kind: string; metadata: { name: string } }): ApiObject {
    this.#version += 1;
    const before = this.object(kind, object.metadata.name);
    const stored: ApiObject = {
      ...object,
      metadata: {
        ...(kind.scope === 'Namespaced' ? { namespace: NODE_NAME } : {}),
        uid: before?.metadata.uid ?? `uid-${this.#version}`,
        generation: (before?.metadata.generation ?? 0) + 1,
        creationTimestamp: '2026-01-01T00:00:00Z',
        ...object.metadata,
        resourceVersion: String(this.#version),
      },
    };
    this.#objects.set(`${kind.plural}/${object.metadata.name}`, stored);
    return stored;
  }
}

/** Runs the command line, as a user with an empty environment but for `env`. */
export async function runCli(options: { stdin?: string; env?: NodeJS.ProcessEnv; cwd?: string }, ...args: string[]): Promise<Ran> {
  const inherited = Object.entries(process.env).filter(([key]) => !/^(DTKD_|VITEST|NODE_|npm_|NO_COLOR|XDG_DATA)/.test(key));
  return runWarm({ ...options, args, env: { ...Object.fromEntries(inherited), ...options.env } });
}

async function send(response: ServerResponse, answer: unknown): Promise<void> {
  if (isRecord(answer) && typeof answer['raw'] === 'string') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(answer['raw']);
    return;
  }
  if (isRecord(answer) && answer['octets'] instanceof Uint8Array) {
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(answer['octets']);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  if (!isRecord(answer) || !isAsyncIterable(answer['lines'])) {
    response.end(JSON.stringify(answer ?? {}));
    return;
  }
  response.flushHeaders();
  for await (const line of answer['lines']) response.write(`${JSON.stringify(line)}\n`);
  response.end();
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

async function* once<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
