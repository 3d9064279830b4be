import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Action, KindHandler } from '../../daemon/src/api/handlers.types.ts';
import { openCertificates } from '../../daemon/src/api/listening/certificates.ts';
import type { Certificates } from '../../daemon/src/api/listening/certificates.types.ts';
import { startApiServer } from '../../daemon/src/api/server.ts';
import type { ApiServer, ApiServerOptions } from '../../daemon/src/api/server.types.ts';
import type { Logger } from '../../daemon/src/logging/logger.types.ts';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import { silentLogger } from '../silent-logger.ts';
import { memoryKv } from '../store/memory-kv.ts';
import { operatorAccess } from './fake-access.ts';

export const TOKEN = 'the-operator-token';
export const NODE = 'node0';
export const SERVICES = '/api/v1/namespaces/default/services';
export const GROUP = 'sid.sightlineinnovation.com';
export const APPS = `/apis/${GROUP}/v1/namespaces/default/dtapps`;
export const DOMAINS = `/apis/${GROUP}/v1/namespaces/default/dtdomains`;
export const PEERS = `/apis/${GROUP}/v1/namespaces/default/dtpeers`;
export const MERGE = 'application/merge-patch+json';
export const JSON_PATCH = 'application/json-patch+json';

let certificates: Promise<Certificates> | undefined;

/** One authority for all tests of a file: making keys is the slow part. */
function certificate(): Promise<Certificates> {
  certificates ??= (async () => {
    const dir = await mkdtemp(join(tmpdir(), 'dtkd-tls-'));
    try {
      return await openCertificates({ dir, names: [NODE] });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  })();
  return certificates;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
}

export interface Ask {
  body?: unknown;
  /** Sent unchanged instead of `body`. */
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
  token?: string | undefined;
}

export interface TestApi {
  server: ApiServer;
  store: LocalStore;
  logged: { level: string; fields: object; message: string }[];
  ask(method: string, path: string, ask?: Ask): Promise<Answer>;
  /** Opens a request and gives the answer as it comes. */
  open(method: string, path: string, ask?: Ask): Promise<IncomingMessage>;
  watch(path: string, headers?: Record<string, string>): Promise<Watch>;
  close(): Promise<void>;
}

export interface Watch {
  answer: IncomingMessage;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
  events: any[];
  ended: () => boolean;
  stop(): void;
}

export interface TestApiOptions extends Partial<Omit<ApiServerOptions, 'extensions'>> {
  kinds?: Record<string, KindHandler>;
  subresources?: Record<string, Action>;
  actions?: Record<string, Action>;
}

export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const { kinds = {}, subresources = {}, actions = {}, ...rest } = options;
  const store = rest.store ?? (await openObjectStore({ kv: memoryKv(), node: NODE }));
  const tls = await certificate();
  const logged: TestApi['logged'] = [];
  const log = (level: string) => (fields: object, message: string) => {
    logged.push({ level, fields, message });
  };
  const logger: Logger = { ...silentLogger, debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const server = await startApiServer({
    store,
    node: { name: NODE },
    extensions: {
      kinds: new Map(Object.entries(kinds)),
      subresources: new Map(Object.entries(subresources)),
      actions: new Map(Object.entries(actions)),
    },
    access: operatorAccess(TOKEN),
    logger,
    version: '0.0.0',
    listen: { host: '127.0.0.1', port: 0 },
    certificate: tls,
    ...rest,
  });
  const agent = new Agent({ ca: tls.ca, keepAlive: true });

  function open(method: string, path: string, { body, raw, headers = {}, token = TOKEN }: Ask = {}): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const outgoing = httpsRequest(
      {
        host: '127.0.0.1',
        port: server.port,
        path,
        method,
        agent,
        servername: 'localhost',
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          ...(content === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(content)) }),
          ...headers,
        },
      },
      resolve,
    );
    outgoing.on('error', reject);
    outgoing.end(content);
    return promise;
  }

  return {
    server,
    store,
    logged,
    open,
    async ask(method, path, ask) {
      const answer = await open(method, path, ask);
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part);
      const text = Buffer.concat(parts).toString();
      const isJson = /^application\/json(?!.*stream=)/.test(answer.headers['content-type'] ?? '') && text !== '';
      return { status: answer.statusCode ?? 0, headers: answer.headers, text, body: isJson ? JSON.parse(text) : undefined };
    },
    async watch(path, headers = {}) {
      const answer = await open('GET', path, { headers });
      const watch: Watch = { answer, events: [], ended: () => answer.complete || answer.destroyed, stop: () => answer.destroy() };
      answer.on('error', () => {});
      createInterface({ input: answer }).on('line', (line) => watch.events.push(JSON.parse(line)));
      return watch;
    },
    async close() {
      await server.close();
      agent.destroy();
      await store.close();
    },
  };
}

export function serviceBody(name: string, extra: object = {}) {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, ...extra }, spec: { ports: [{ port: 80 }] } };
}
