/**
 * Answers plain HTTP at the port of the API with a 400 that names the URL to take; without it there would be an end of the connection, and nothing else. TLS
 * finds out; nothing of what was sent is looked at or said again. Who goes on sending may miss the answer, since the connection is closed with it.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** `urlOf`: of the API at this address of this machine. */
export function answerPlainHttp(server: Server, urlOf: (host: string, port: number) => string): void {
  // a TLSSocket does not give the connection below it, and can send nothing itself after its error; what they have in common are the ends
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
    // who has gone meanwhile gets nothing
    socket.once('error', () => {});
    socket.end(answer(urlOf(host, port)));
  });
}

/** What a connection and the TLS on it have in common. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket | TLSSocket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function answer(url: string): string {
  const text = `This port speaks HTTPS, and you sent plain HTTP.\nnext: Take ${url} instead; the authority of its certificate is ca.crt in the data directory.\n`;
  return [
    'HTTP/1.1 400 Bad Request',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
    '',
    text,
  ].join('\r\n');
}
