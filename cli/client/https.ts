import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders, RequestOptions } from 'node:http';
import { DtkdError } from '../../protocol/errors.ts';
import type { Connection } from '../config.ts';
import { unreachable } from '../config.ts';
import { parseJson, textAt } from '../json.ts';

/** Larger answers are refused. Lists come in pages, so no whole one comes near this. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** How long the daemon may take to begin its answer, in milliseconds. Joining takes longest, since it asks a far peer. */
const ANSWER_TIMEOUT_MS = 120_000;

/**
 * If the answer to a GET has not begun after this time, the person is told what the command waits for. Longer than the daemon waits for
 * members. Milliseconds.
 */
const LATE_MS = 15_000;
const WHY_SILENT = 'See "dtkd doctor": the daemon may hang, or its disk.';

/** TLS failures that mean that this is not the daemon we expect. */
const TRUST_FAILURES = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
]);

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  body?: unknown;
  /** Raw bytes in place of `body`, opened again if the request has to be sent again; `length`: if known. */
  bytes?: { open(): import('node:stream').Readable; length?: number };
  accept?: string;
  /** The offset of the first byte to send in the answer. */
  from?: number;
  contentType?: string;
  signal?: AbortSignal;
  /** True for answers that may stay silent for ever: watches and forwards. */
  endless?: boolean;
}

export interface HttpAnswer {
  status: number;
  warnings: string[];
  message: IncomingMessage;
}

/** Failures to connect to a Unix socket. Nothing was sent, and the daemon may be reachable at its address. */
const NO_SOCKET = new Set(['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTSOCK', 'EINVAL']);

/** How requests are sent: over TLS to an address, or in the clear to a socket in a data directory. */
interface Carrier {
  agent: Agent;
  request(url: URL, options: RequestOptions): ClientRequest;
  socketPath: string | undefined;
}

/**
 * An HTTP client for one daemon: sends the token and caps answers; knows nothing of objects. At an address it verifies the daemon's
 * certificate. To the socket in a data directory it speaks without TLS: only the owners of that directory, who also hold the certificate
 * authority that would be trusted, can put a socket there.
 */
export class HttpsClient {
  readonly #connection: Connection;
  #carrier: Carrier;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#carrier = connection.socket === undefined ? overTls(connection) : overSocket(connection.socket);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Sends a request; resolves once the headers of the answer have come. */
  send(request: HttpRequest): Promise<HttpAnswer> {
    const payload = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const url = new URL(request.path, this.#connection.url);
    const headers: OutgoingHttpHeaders = {
      host: url.host,
      authorization: `Bearer ${this.#connection.token}`,
      accept: request.accept ?? 'application/json',
      'user-agent': 'dtkd-cli',
      ...(payload === undefined
        ? {}
        : { 'content-type': request.contentType ?? 'application/json', 'content-length': String(payload.length) }),
      ...(request.from === undefined ? {} : { range: `bytes=${request.from}-` }),
      ...(request.bytes === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      ...(request.bytes?.length === undefined ? {} : { 'content-length': String(request.bytes.length) }),
    };
    const carrier = this.#carrier;
    return new Promise((resolve, reject) => {
      const outgoing = carrier.request(url, {
        method: request.method,
        agent: carrier.agent,
        headers,
        ...(request.signal === undefined ? {} : { signal: request.signal }),
        ...(request.endless === true ? {} : { timeout: ANSWER_TIMEOUT_MS }),
      });
      outgoing.on('timeout', () => outgoing.destroy(new DtkdError('TIMEOUT', `${url.origin} does not answer`, { next: WHY_SILENT })));
      if (request.method === 'GET' && request.endless !== true) sayWhenLate(outgoing, url.origin);
      outgoing.on('error', (error) => {
        if (carrier.socketPath !== undefined && textAt(error, 'syscall') === 'connect' && NO_SOCKET.has(textAt(error, 'code') ?? '')) {
          if (this.#carrier === carrier) this.#carrier = overTls(this.#connection);
          this.send(request).then(resolve, reject);
        } else void this.#explain(error).then(reject);
      });
      outgoing.on('response', (message) => resolve({ status: message.statusCode ?? 0, warnings: warningsOf(message), message }));
      if (request.bytes === undefined) outgoing.end(payload);
      else {
        const { pipeline } = process.getBuiltinModule('node:stream');
        // a failing source ends the request, which reports the error
        pipeline(request.bytes.open(), outgoing, (error) => {
          if (error) outgoing.destroy(error);
        });
      }
    });
  }

  close(): void {
    this.#carrier.agent.destroy();
  }

  async #explain(error: Error): Promise<Error> {
    if (error instanceof DtkdError || error.name === 'AbortError') return error;
    const code = textAt(error, 'code') ?? '';
    if (TRUST_FAILURES.has(code)) {
      return new DtkdError('NOT_DTKD', `what answers at ${this.#connection.url.origin} is not the expected daemon (${code})`, {
        next: "Name the right data directory with --data, or the daemon's certificate authority (ca.crt) with --ca.",
        cause: error,
      });
    }
    if (code === 'EPROTO' || code.startsWith('ERR_SSL') || code === 'HPE_INVALID_CONSTANT') {
      return new DtkdError('NOT_DTKD', `something other than dtkd listens at ${this.#connection.url.origin}`, {
        next: 'Name the port of the API with --url: "dtkd up" says it when it starts, as does endpoint.json in the data directory.',
        cause: error,
      });
    }
    return unreachable(this.#connection, error);
  }
}

/** Reports that the daemon is silent: a daemon that hangs still accepts connections. */
function sayWhenLate(outgoing: ClientRequest, origin: string): void {
  const timer = setTimeout(
    () => process.stderr.write(`${origin} has not answered for ${LATE_MS / 1000} s; still waiting. ${WHY_SILENT}\n`),
    LATE_MS,
  );
  timer.unref();
  for (const event of ['response', 'close']) outgoing.once(event, () => clearTimeout(timer));
}

// Built-in modules are got at run time, since importing them by name loads everything that they re-export, which takes longer than the
// request.

function overSocket(socketPath: string): Carrier {
  const http = process.getBuiltinModule('node:http');
  const agent = new http.Agent({ keepAlive: true });
  return {
    agent,
    socketPath,
    request: ({ pathname, search }, options) => http.request({ ...options, socketPath, path: pathname + search }),
  };
}

function overTls({ ca }: Connection): Carrier {
  const https = process.getBuiltinModule('node:https');
  const agent = new https.Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) });
  return { agent, socketPath: undefined, request: (url, options) => https.request(url, options) };
}

/** The body of an answer. If the daemon ends in the middle of it, the error says so, where Node says only "aborted". */
async function* partsOf(message: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const part of message) yield Buffer.from(part);
  } catch (cause) {
    if (textAt(cause, 'code') !== 'ECONNRESET') throw cause;
    throw new DtkdError('DAEMON_UNREACHABLE', 'the daemon, or the connection to it, ended in the middle of the answer', {
      next: 'Check whether the daemon runs: dtkd status, dtkd doctor.',
      cause,
    });
  }
}

/** Reads a whole answer as text, up to the cap. Errors: TOO_LARGE, DAEMON_UNREACHABLE. */
export async function readText(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const bytes of partsOf(message)) {
    size += bytes.length;
    if (size > MAX_ANSWER_BYTES) {
      message.destroy();
      throw new DtkdError('TOO_LARGE', 'the answer is too large', { next: 'Ask for less: --limit, a selector or a name.' });
    }
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Yields the JSON value of each line until the answer ends. Errors: TOO_LARGE, DAEMON_UNREACHABLE. */
export async function* readLines(message: IncomingMessage): AsyncGenerator<unknown> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of partsOf(message)) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_ANSWER_BYTES) throw new DtkdError('TOO_LARGE', 'a line of the answer is too large');
    for (const line of lines) if (line.trim() !== '') yield parseJson(line);
  }
  if (rest.trim() !== '') yield parseJson(rest);
}

/** The texts of `Warning: 299 - "…"` headers. */
function warningsOf(message: IncomingMessage): string[] {
  const headers = message.headersDistinct['warning'] ?? [];
  return headers.flatMap((header) =>
    [...header.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text.replace(/\\(.)/g, '$1')),
  );
}
