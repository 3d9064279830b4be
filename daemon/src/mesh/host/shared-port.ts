/**
 * The one open port. Wraps the TCP transport so that its listeners check the first byte of each connection: a TLS ClientHello (0x16) goes
 * to the fast lane, anything else to libp2p. Limits the time to the first byte, and the number of sockets that have not finished their
 * handshake: libp2p would refuse the latest, so that one address could hold all places and keep everybody out.
 */
import { Server as NetServer, type Server, type Socket } from 'node:net';
import type { Listener, Transport } from '@libp2p/interface';
import type { Address } from '../../../../protocol/peers/address.ts';
import { Crowd } from '../../counting/crowd.ts';
import { MAX_PENDING_INBOUND } from './limits.ts';
import { unmapped } from './multiaddrs.ts';

/** First byte of every TLS record that opens a connection (RFC 8446 §5.1: handshake). libp2p starts with 0x13, a length. */
const TLS_HANDSHAKE = 0x16;
/** A dialler sends at once; three seconds allow for a lost first segment. */
const FIRST_BYTE_TIMEOUT_MS = 3_000;

export interface SharedPortOptions {
  onTls(socket: Socket): void;
  /** Called for each connection dropped before it proved anything. */
  onDropped(): void;
  handshakes: Handshakes;
}

/** Inbound sockets of all listeners of a host that have not finished their handshake. */
export class Handshakes {
  readonly #sockets: Crowd<Socket>;

  constructor(onDropped: () => void) {
    this.#sockets = new Crowd<Socket>(MAX_PENDING_INBOUND, (socket) => {
      socket.destroy();
      onDropped();
    });
  }

  begin(socket: Socket): void {
    this.#sockets.add(socket, socket.remoteAddress ?? '');
    socket.once('close', () => this.#sockets.delete(socket));
  }

  end(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  /** Reports that the connection from that address is established. */
  established({ host, port }: Address): void {
    for (const socket of this.#sockets) {
      if (socket.remotePort === port && unmapped(socket.remoteAddress ?? '') === host) this.#sockets.delete(socket);
    }
  }
}

/** Replaces `createListener` of a TCP transport and returns the transport. */
export function sharePort<T extends Transport>(transport: T, options: SharedPortOptions): T {
  const createListener = transport.createListener.bind(transport);
  transport.createListener = (listenerOptions): Listener => {
    const listener = createListener(listenerOptions);
    const server: unknown = Reflect.get(listener, 'server');
    if (!(server instanceof NetServer)) {
      // Without the server there is no fast lane, but the mesh works.
      return listener;
    }
    intercept(server, options);
    return listener;
  };
  return transport;
}

function intercept(server: Server, { handshakes, onTls, onDropped }: SharedPortOptions): void {
  const original = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    handshakes.begin(socket);
    const timer = setTimeout(() => {
      onDropped();
      socket.destroy();
    }, FIRST_BYTE_TIMEOUT_MS);
    const forget = (): void => {
      clearTimeout(timer);
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
        // The fast lane counts its own.
        handshakes.end(socket);
        onTls(socket);
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

/** Ignores errors of a connection while its first byte is awaited: they concern nobody. */
function ignore(): void {}
