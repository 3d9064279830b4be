/**
 * How many connections a server has at once. Where there are too many, the oldest on which nothing is being answered gives way, of the network that holds most
 * of those: who opens many and asks nothing pushes out himself.
 */
import type { Server, Socket } from 'node:net';
import { networkOf, oldestOfLargest } from '../counting/crowd.ts';
import { endsOf } from './plain-http.ts';

/** Above the limit, where something is being answered on all of them: for those that are closing, and for as many more. */
const SPARE = 64;

export interface ConnectionLimit {
  max: number;
  /** On which something is being answered, as connections or as what TLS makes of them. */
  answering(): Iterable<Socket>;
}

/** Keeps the limit. Returns the connections that are open, also those that HTTP does not know of: in their handshake. To be called before the server listens. */
export function limitConnections(server: Server, { max, answering }: ConnectionLimit): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  const from = new WeakMap<Socket, { ends: string; network: string }>();
  const oldest = (): Socket | undefined => {
    const busy = new Set([...answering()].map(endsOf));
    const idle = [...open].flatMap((socket): [Socket, string][] => {
      const { ends, network } = from.get(socket) ?? { ends: '', network: '' };
      return busy.has(ends) ? [] : [[socket, network]];
    });
    return oldestOfLargest(idle);
  };
  server.maxConnections = max + SPARE;
  server.on('connection', (socket: Socket) => {
    const victim = open.size < max ? undefined : oldest();
    if (victim !== undefined) open.delete(victim);
    victim?.destroy();
    from.set(socket, { ends: endsOf(socket), network: networkOf(socket.remoteAddress ?? '') });
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return open;
}
