/**
 * Answers the requests of each connection one after another. HTTP lets a client send requests before it has the answers to earlier
 * ones, and Node hands over all that have arrived: thousands could run together, and keep their answers until their turn. Here each
 * request starts when the previous one has been answered. A few may wait; a client that sends more ahead is refused, and so is
 * input that is not a request.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../../protocol/errors.ts';
import { rawRefusal } from '../request/raw-refusal.ts';

/** Maximum number of waiting requests per connection. Browsers and client libraries send none ahead. */
const MAX_AHEAD = 32;

type Serve = (incoming: IncomingMessage, outgoing: ServerResponse) => unknown;

/** The state of a connection: the answer in progress, and the requests that wait for it. */
interface Row {
  now: ServerResponse;
  readonly ahead: [IncomingMessage, ServerResponse][];
}

/**
 * Lets `serve` answer the requests of a server, one at a time per connection. Returns a function that lists the answers in progress
 * and their connections.
 */
export function serveInTurn(server: Server | TlsServer, serve: Serve): () => Iterable<readonly [Socket, ServerResponse]> {
  const rows = new Map<Socket, Row>();
  const begin = (row: Row, incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { socket } = incoming;
    row.now = outgoing;
    outgoing.once('close', () => {
      // if the connection is closing, nobody waits for the rest
      const next = socket.writable ? row.ahead.shift() : undefined;
      if (next === undefined) rows.delete(socket);
      else begin(row, ...next);
    });
    serve(incoming, outgoing);
  };
  const refuse = (socket: Socket, error: DtkdError, http?: number): void => {
    if (socket.writable && rows.get(socket)?.now.headersSent !== true) socket.write(rawRefusal(error, http));
    // immediately, since a client that reads nothing could keep sending
    socket.destroy();
  };
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { socket } = incoming;
    const row = rows.get(socket);
    if (row === undefined) {
      const fresh: Row = { now: outgoing, ahead: [] };
      rows.set(socket, fresh);
      begin(fresh, incoming, outgoing);
    } else if (row.ahead.length < MAX_AHEAD) {
      row.ahead.push([incoming, outgoing]);
    } else if (!socket.destroyed) {
      refuse(
        socket,
        new DtkdError('TOO_MANY_REQUESTS', `more than ${MAX_AHEAD} requests were sent ahead on one connection`, {
          next: 'Wait for answers, or use more connections.',
        }),
      );
    }
  });
  server.on('checkExpectation', ({ socket }: IncomingMessage) => {
    refuse(socket, new DtkdError('BAD_REQUEST', 'the only expectation served is 100-continue'), 417);
  });
  server.on('connect', (_incoming: IncomingMessage, socket: Duplex) => {
    if (socket instanceof Socket) refuse(socket, new DtkdError('METHOD_NOT_ALLOWED', 'CONNECT is not served here'));
  });
  server.on('clientError', (error: Error & { code?: string }, socket: Duplex) => {
    const known = faultOf(error);
    if (known === undefined || !(socket instanceof Socket)) socket.destroy(error);
    else refuse(socket, new DtkdError(known.code, known.message), known.http);
  });
  return function* answering() {
    for (const [socket, { now }] of rows) yield [socket, now];
  };
}

/** What is wrong with the input; undefined if it was not HTTP at all, or if the connection failed. */
function faultOf({
  code = '',
}: {
  code?: string;
}): { code: 'BAD_REQUEST' | 'TOO_LARGE' | 'TIMEOUT'; message: string; http?: number } | undefined {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { code: 'TOO_LARGE', message: 'the head of the request is too large', http: 431 };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { code: 'TOO_LARGE', message: 'the chunk extensions of the request are too large' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { code: 'TIMEOUT', message: 'the request did not arrive in time', http: 408 };
    default:
      return code.startsWith('HPE_') ? { code: 'BAD_REQUEST', message: 'the request is not valid HTTP' } : undefined;
  }
}
