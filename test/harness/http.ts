/** A small HTTP client for tests: any address or unix socket, a private CA, streams counted and never gathered unless asked. */
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';

/** Where to connect: TCP, or a unix socket that leads into a network namespace. */
export type Target = { host: string; port: number } | { socketPath: string };

export interface RequestOptions {
  target: Target;
  path: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | Readable;
  /** Given: HTTPS, trusting this CA. */
  ca?: string;
  /** Keeps connections between requests; default is one connection for each. */
  agent?: Agent;
  signal?: AbortSignal;
  timeoutMs?: number;
}

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

const TIMEOUT_MS = 60_000;

/** Sends a request and resolves with the response as soon as its head is there; the body streams. */
export function open(options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = options.ca === undefined ? httpRequest : httpsRequest;
    const request = send({
      ...options.target,
      path: options.path,
      method: options.method ?? 'GET',
      headers: options.headers ?? {},
      agent: options.agent ?? false,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    request.setTimeout(options.timeoutMs ?? TIMEOUT_MS, () => request.destroy(new Error(`no answer to ${options.path} in time`)));
    request.once('error', reject);
    request.once('response', resolve);
    const { body } = options;
    if (body === undefined) request.end();
    else if (typeof body === 'string' || body instanceof Uint8Array) request.end(body);
    else body.pipe(request);
  });
}

/** Sends a request and gathers the whole answer. */
export async function fetchText(options: RequestOptions): Promise<Answer> {
  const response = await open(options);
  response.setEncoding('utf8');
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/** Reads a body to its end and counts it. */
export async function drain(response: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of response) if (chunk instanceof Uint8Array) bytes += chunk.length;
  return bytes;
}
