/**
 * Answers plain HTTP at the API's port with a 400 that names the URL to use; otherwise the connection would just end. TLS detects
 * it; what the client sent is neither read nor repeated. A client that keeps sending may miss the answer, since the connection is
 * closed with it.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** `urlOf` returns the API's URL at this address of this machine. */
export function answerPlainHttp(server: Server, urlOf: (host: string, port: number) => string): void {
  // a TLSSocket does not expose the connection below it, and cannot send anything itself after its error; the endpoints are what
  // they have in common
  const open = new Map<string, Socket>();
  server.on('connection', (socket: Socket) => {
    const ends = endsOf(socket);
    open.set(ends, socket);
    socket.once('close', () => {
      if (open.get(ends) === socket) open.delete(ends);
    });
  });
  server.on('tlsClientError', (error: Error & { code?: string }, tls) => {
    if (error.code !== 'ERR_SSL_HTTP_REQUEST') return;
    const socket = open.get(endsOf(tls));
    const { localAddress: host, localPort: port } = socket ?? {};
    if (socket?.writable !== true || host === undefined || port === undefined) return;
    // the client may have gone meanwhile
    socket.once('error', () => {});
    socket.end(answer(urlOf(host, port)));
  });
}

/** The endpoints, which a connection and the TLS socket on it have in common. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket | TLSSocket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function answer(url: string): string {
  const text = `This port speaks HTTPS, and you sent plain HTTP.\nnext: Use ${url} instead; the authority of its certificate is ca.crt in the data directory.\n`;
  return [
    'HTTP/1.1 400 Bad Request',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
    '',
    text,
  ].join('\r\n');
}
