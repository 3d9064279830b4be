/**
 * Limits how many connections a server has open. When there are too many, one gives way: an idle one, or one of the client that
 * holds most, so whoever opens many evicts its own.
 */
import type { Server, Socket } from 'node:net';
import { type Holder, networkOf, whoGivesWay } from '../../counting/crowd.ts';
import { endsOf } from './plain-http.ts';

/** Connections allowed beyond the limit: for those that are being closed, and for times when requests are being answered on all of them. */
const SPARE = 64;

export interface ConnectionLimit {
  max: number;
  /** The answers in progress, each with its connection or the TLS socket on it. */
  answering(): Iterable<readonly [Socket, unknown]>;
}

/**
 * Enforces the limit. Returns the open connections, including those that HTTP does not know of because they are still in their TLS
 * handshake. Call it before the server listens.
 */
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
