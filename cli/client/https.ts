import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders, RequestOptions } from 'node:http';
import { DtkdError } from '../../protocol/errors.ts';
import type { Connection } from '../config.ts';
import { unreachable } from '../config.ts';
import { parseJson, textAt } from '../json.ts';

/** An answer larger than this is refused: lists come in pages, so a whole one is never near it. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** How long the daemon may take to begin its answer, in milliseconds. Joining asks a far peer and has the longest. */
const ANSWER_TIMEOUT_MS = 120_000;

/** After that long without the beginning of an answer to a question, the person is told what is waited for. Members are given up before. Milliseconds. */
const LATE_MS = 15_000;
const WHY_SILENT = 'See "dtkd doctor": the daemon may hang, or its disk.';

/** Failures of TLS that mean "this is not the daemon that we know". */
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
  /** In place of `body`: bytes as they are, opened anew if the request has to be made again; of that length, if it is known. */
  bytes?: { open(): import('node:stream').Readable; length?: number };
  accept?: string;
  /** The byte of the answer to begin with. */
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

/** Failures to reach a socket of the file system: nothing was sent, and the daemon may be reached at its address. */
const NO_SOCKET = new Set(['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTSOCK', 'EINVAL']);

/** How requests leave: over TLS to an address, or without to a socket in a data directory. */
interface Carrier {
  agent: Agent;
  request(url: URL, options: RequestOptions): ClientRequest;
  socketPath: string | undefined;
}

/**
 * One daemon: sends the token, caps what comes back. Knows nothing of objects. At an address it verifies the daemon's certificate; to the socket in a data
 * directory it speaks without TLS: only those who own that directory, and with it the certificate authority that would be trusted, can put a socket there.
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

  /** Sends a request; resolves when the headers are there. */
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
        // what goes wrong with the source ends the request, which tells of it
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

/** A daemon that hangs takes connections all the same. */
function sayWhenLate(outgoing: ClientRequest, origin: string): void {
  const timer = setTimeout(
    () => process.stderr.write(`${origin} has not answered for ${LATE_MS / 1000} s; still waiting. ${WHY_SILENT}\n`),
    LATE_MS,
  );
  timer.unref();
  for (const event of ['response', 'close']) outgoing.once(event, () => clearTimeout(timer));
}

// Not imported by name: that would also load all that these modules only offer, which takes longer than the request.

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

/** What comes of an answer. A daemon that ends within it is said to be gone: of the connection alone one learns that it was "aborted". */
async function* partsOf(message: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const part of message) yield Buffer.from(part);
  } catch (cause) {
    if (textAt(cause, 'code') !== 'ECONNRESET') throw cause;
    throw new DtkdError('DAEMON_UNREACHABLE', 'the daemon, or the connection to it, ended within its answer', {
      next: 'See whether it runs: dtkd status, dtkd doctor.',
      cause,
    });
  }
}

/** Reads a whole answer as text, within the cap. Errors: TOO_LARGE, DAEMON_UNREACHABLE. */
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
