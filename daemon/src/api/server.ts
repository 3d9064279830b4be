/**
 * Serves the API over HTTPS, and at a socket in the data directory. Owns the listening sockets, the limits and time limits of
 * connections, and a shutdown that closes watches. Time limits apply to receiving a request, never to answering one: a watch stays
 * open as long as both sides want it.
 */
import { createServer as createPlainServer, type Server as PlainServer, type ServerOptions } from 'node:http';
import { createServer, type Server } from 'node:https';
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { DtkdError } from '../../../protocol/errors.ts';
import { createApi } from './app.ts';
import { keepRenewed } from './listening/certificate-renewal.ts';
import { limitConnections } from './listening/connection-limit.ts';
import { listenLocally } from './listening/local-socket.ts';
import { serveInTurn } from './listening/pipelining.ts';
import { answerPlainHttp } from './listening/plain-http.ts';
import { limitReaders } from './listening/reader-patience.ts';
import { canonicalAddress } from './reception/hosts.ts';
import { RequestCounts } from './reception/request-counts.ts';
import { limitBodies } from './request/body-patience.ts';
import { statusOf } from './request/status.ts';
import type { ApiServer, ApiServerOptions } from './server.types.ts';

/** Bytes of all headers of a request; tokens and selectors fit many times over. */
const MAX_HEADER_BYTES = 16 * 1024;
/**
 * Milliseconds for the headers, and for a whole request of at most 1 MiB or this many bytes of an upload. The slowest lines carry
 * more than that.
 */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const UPLOAD_BYTES = 32 * 1024;
/**
 * How often those limits are checked. With Node's default of 30 seconds a client could exceed them by that much; checking more
 * often would wake an idle daemon more often.
 */
const TIMEOUT_CHECK_MS = 5_000;
/** Milliseconds that an idle connection is kept for the client's next request. */
const KEEP_ALIVE_MS = 60_000;
/** After this much time without traffic, TCP checks whether the peer of a silent watch is still there. */
const TCP_KEEP_ALIVE_MS = 30_000;
const MAX_CONNECTIONS = 2048;
/** How long requests that are running at shutdown get to finish. */
const CLOSE_GRACE_MS = 2000;
const CLOSE_SWEEP_MS = 20;

const TLS = { minVersion: 'TLSv1.2' } as const;

const LIMITS: ServerOptions = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MS,
  // limitBodies does this, since uploads may take longer
  requestTimeout: 0,
  connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  keepAlive: true,
  keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  noDelay: true,
};

/** Limits for request bodies, the same for both servers. */
const BODIES = { bodyMs: REQUEST_TIMEOUT_MS, stallBytes: UPLOAD_BYTES, stallMs: REQUEST_TIMEOUT_MS, sweepMs: TIMEOUT_CHECK_MS };
/** A client that takes nothing of an answer for this long is cut off: longer than bad lines pause. */
const READERS = { stallMs: 300_000, sweepMs: TIMEOUT_CHECK_MS };

export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const closing = new AbortController();
  const counts = new RequestCounts();
  const app = createApi(options, closing.signal, counts);
  const { logger } = options;
  const listener = getRequestListener(app.fetch, {
    // input that cannot be read as a request at all
    errorHandler: (error) => {
      const status = statusOf(
        new DtkdError('BAD_REQUEST', 'the request line or Host header cannot be read', { cause: error }),
        {},
        () => {},
      );
      return new Response(JSON.stringify(status), { status: status.code, headers: { 'content-type': 'application/json' } });
    },
  });
  const { cert, key } = options.certificate;
  const server = createServer({ ...LIMITS, ...TLS, cert, key, ALPNProtocols: ['http/1.1'], handshakeTimeout: HEADERS_TIMEOUT_MS });
  const answering = serveInTurn(server, listener);
  server.on('tlsClientError', (error) => logger.debug({ err: error }, 'A TLS handshake with the API failed'));
  answerPlainHttp(server, (host, port) => urlOf(canonicalAddress(host), port));
  const max = Math.min(options.maxConnections ?? MAX_CONNECTIONS, MAX_CONNECTIONS);
  const remote = limitConnections(server, { max, answering });
  limitBodies(server, BODIES);
  limitReaders(server, answering, READERS);
  await listen(server, options.listen);
  if (options.renewCertificate !== undefined) keepRenewed(server, { renew: options.renewCertificate, tls: TLS, logger });
  const local = options.socket === undefined ? undefined : createPlainServer(LIMITS);
  const here = local === undefined ? undefined : prepareLocal(local, listener);
  const isLocal = local !== undefined && options.socket !== undefined && (await listenLocally(local, { ...options.socket, logger }));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.listen.port;
  return {
    url: urlOf(options.listen.host, port),
    port,
    socket: isLocal ? options.socket?.path : undefined,
    answer: async (request, from) => app.fetch(request, from),
    figures: () => counts.figures(),
    close: async () => {
      closing.abort();
      await Promise.all([close(server, remote), ...(isLocal && here !== undefined ? [close(local, here)] : [])]);
    },
  };
}

/**
 * Clients of the socket in the data directory cannot be told apart, so no connection gives way while a request is being answered on
 * any of them.
 */
function prepareLocal(server: PlainServer, listener: ReturnType<typeof getRequestListener>): ReadonlySet<Socket> {
  const answering = serveInTurn(server, listener);
  limitBodies(server, BODIES);
  limitReaders(server, answering, READERS);
  return limitConnections(server, { max: MAX_CONNECTIONS, answering });
}

/** Checks that the API can listen there, before anything is done that others see. Errors: PORT_IN_USE, CONFIG_INVALID. */
export async function tryListening(at: { host: string; port: number }): Promise<void> {
  const server = createNetServer();
  await listen(server, at);
  await new Promise((resolve) => server.close(resolve));
}

function listen(server: NetServer, { host, port }: { host: string; port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const refused = (error: Error & { code?: string }) => reject(listenError(error, host, port));
  server.once('error', refused);
  server.listen({ host, port }, () => {
    server.off('error', refused);
    resolve();
  });
  return promise;
}

function listenError(error: Error & { code?: string }, host: string, port: number): DtkdError {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new DtkdError('PORT_IN_USE', `the API cannot listen at ${where}: something else listens there`, {
        next: 'Stop it, or choose another address with --api.',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new DtkdError('CONFIG_INVALID', `the API may not listen at ${where}`, {
        next: 'Choose a port above 1023 with --api.',
        cause: error,
      });
    default:
      return new DtkdError('CONFIG_INVALID', `the API cannot listen at ${where}: ${error.message}`, {
        next: 'Choose an address of this machine with --api.',
        cause: error,
      });
  }
}

/** Clients cannot connect to a wildcard address, so the URL names the loopback address instead. */
function urlOf(host: string, port: number): string {
  if (host === '0.0.0.0') return `https://127.0.0.1:${port}`;
  if (host === '::') return `https://[::1]:${port}`;
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function close(server: Server | PlainServer, open: ReadonlySet<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  // connections become idle one by one as their last answers end
  const sweep = setInterval(() => server.closeIdleConnections(), CLOSE_SWEEP_MS);
  const timer = setTimeout(() => open.forEach((socket) => void socket.destroy()), CLOSE_GRACE_MS);
  await promise;
  clearInterval(sweep);
  clearTimeout(timer);
}
