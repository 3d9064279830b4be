/**
 * The one open port. Wraps the TCP transport so that its listeners look at the first byte of each connection: a TLS ClientHello (0x16)
 * goes to the fast lane, anything else to libp2p. Waiting for the first byte is limited in time and in number.
 */
import { Server as NetServer, type Server, type Socket } from 'node:net';
import type { Listener, Transport } from '@libp2p/interface';

/** First byte of every TLS record that opens a connection (RFC 8446 §5.1: handshake). libp2p's begins with 0x13, a length. */
const TLS_HANDSHAKE = 0x16;
/** A dialler speaks at once; three seconds allow for a lost first segment. */
const FIRST_BYTE_TIMEOUT_MS = 3_000;
/** Sockets that have not sent a byte, over all; beyond, the oldest is dropped. */
const MAX_SILENT_SOCKETS = 128;

export interface SharedPortOptions {
  onTls(socket: Socket): void;
  /** Called for each connection dropped while it was silent. */
  onDropped(): void;
}

/** Changes `createListener` of a TCP transport in place and returns it. */
export function sharePort<T extends Transport>(transport: T, options: SharedPortOptions): T {
  const createListener = transport.createListener.bind(transport);
  const silent = new Set<Socket>();
  transport.createListener = (listenerOptions): Listener => {
    const listener = createListener(listenerOptions);
    const server: unknown = Reflect.get(listener, 'server');
    if (!(server instanceof NetServer)) {
      // Without the server there is no fast lane, but the mesh works.
      return listener;
    }
    intercept(server, silent, options);
    return listener;
  };
  return transport;
}

function intercept(server: Server, silent: Set<Socket>, options: SharedPortOptions): void {
  const original = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    for (const oldest of silent) {
      if (silent.size < MAX_SILENT_SOCKETS) break;
      silent.delete(oldest);
      oldest.destroy();
      options.onDropped();
    }
    silent.add(socket);
    const timer = setTimeout(() => {
      options.onDropped();
      socket.destroy();
    }, FIRST_BYTE_TIMEOUT_MS);
    const forget = (): void => {
      clearTimeout(timer);
      silent.delete(socket);
      socket.off('error', ignore);
      socket.off('close', forget);
    };
    socket.on('error', ignore);
    socket.on('close', forget);
    socket.once('readable', () => {
      const bytes: Buffer | null = socket.read();
      forget();
      if (bytes === null) {
        socket.on('error', ignore);
        socket.destroy();
        return;
      }
      socket.unshift(bytes);
      if (bytes[0] === TLS_HANDSHAKE) {
        options.onTls(socket);
        return;
      }
      for (const listener of original) {
        try {
          listener.call(server, socket);
        } catch {
          // The listener is closing.
          socket.destroy();
        }
      }
    });
  });
}

/** The connection is still being looked at: its errors concern nobody. */
function ignore(): void {}
