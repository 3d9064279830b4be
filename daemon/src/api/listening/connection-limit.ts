/**
 * How many connections a server has at once. Where there are too many, one gives way on which nothing is being answered, or that is of who holds most: who opens
 * many pushes out himself.
 */
import type { Server, Socket } from 'node:net';
import { type Holder, networkOf, whoGivesWay } from '../../counting/crowd.ts';
import { endsOf } from './plain-http.ts';

/** Above the limit, where something is being answered on all of them: for those that are closing, and for as many more. */
const SPARE = 64;

export interface ConnectionLimit {
  max: number;
  /** What is being answered, with its connection or what TLS makes of that. */
  answering(): Iterable<readonly [Socket, unknown]>;
}

/** Keeps the limit. Returns the connections that are open, also those that HTTP does not know of: in their handshake. To be called before the server listens. */
export function limitConnections(server: Server, { max, answering }: ConnectionLimit): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  const from = new WeakMap<Socket, { ends: string; network: string }>();
  const all = (): Holder<Socket>[] => {
    const busy = new Set([...answering()].map(([socket]) => endsOf(socket)));
    return [...open].map((member) => {
      const { ends, network } = from.get(member) ?? { ends: '', network: '' };
      return { member, network, waits: !busy.has(ends) };
    });
  };
  server.maxConnections = max + SPARE;
  server.on('connection', (socket: Socket) => {
    const network = networkOf(socket.remoteAddress ?? '');
    const victim = open.size < max ? undefined : whoGivesWay(all(), network);
    if (victim !== undefined) open.delete(victim);
    victim?.destroy();
    from.set(socket, { ends: endsOf(socket), network });
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return open;
}
