import { createServer, type Server, type Socket } from 'node:net';
import { DtkdError } from '../../../protocol/errors.ts';
import { idOfHost } from './app-id.ts';
import type { AppTable, RemoteApp } from './app-table.ts';
import { StreamChannel } from './channel/stream-channel.ts';
import type { RequestHead } from './http/head.ts';
import { OriginPool } from './http/origin-pool.ts';
import type { HttpProxy } from './http/proxy.ts';
import type { Route } from './http/proxy-connection.ts';
import type { Refusal } from './http/refusal.ts';
import type { OwnApps } from './own-apps.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { HostPort } from './ports.ts';
import type { TunnelClient } from './tunnel/tunnel-client.ts';

/** Connections that the system may hold until they are accepted. */
const BACKLOG = 511;

/**
 * The node's HTTP entrance: listens, and routes each request by its Host to an app, the node's own or another member's. A reused
 * connection may carry requests to different apps; none of them says anything about the next. HTTP itself is the proxy's.
 */
export class Ingress {
  private readonly table: AppTable;
  private readonly peers: PeerDirectory;
  private readonly own: OwnApps;
  private readonly tunnels: TunnelClient;
  private readonly proxy: HttpProxy;
  private readonly node: { name: string; suffix: string };
  private readonly now: () => number;
  private readonly pools = new Map<string, OriginPool>();
  /** Pools of earlier states of an app, until their last request has ended. */
  private readonly retired = new Map<string, Set<OriginPool>>();
  private readonly server: Server;
  private address: HostPort | undefined;
  unknown = 0;

  constructor(options: {
    table: AppTable;
    peers: PeerDirectory;
    own: OwnApps;
    tunnels: TunnelClient;
    proxy: HttpProxy;
    node: { name: string; suffix: string };
    now(): number;
  }) {
    this.table = options.table;
    this.peers = options.peers;
    this.own = options.own;
    this.tunnels = options.tunnels;
    this.proxy = options.proxy;
    this.node = options.node;
    this.now = options.now;
    const sockets = { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true };
    this.server = createServer(sockets, (socket) => this.serve(socket));
  }

  /** Errors: PORT_IN_USE, ADDRESS_INVALID. */
  async listen(at: HostPort): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, at, 'the ingress')));
      this.server.listen({ host: at.host, port: at.port, backlog: BACKLOG }, resolve);
    });
    // Failing to accept one connection (no descriptors left) must not end the daemon.
    this.server.on('error', () => undefined);
    const bound = this.server.address();
    this.address = typeof bound === 'object' && bound !== null ? { host: bound.address, port: bound.port } : at;
    this.table.onChange((ids) => {
      for (const id of ids) this.renewPool(id);
    });
  }

  /** Where it listens. */
  bound(): HostPort {
    if (this.address === undefined) throw new DtkdError('UNAVAILABLE', 'the ingress does not listen');
    return this.address;
  }

  stopListening(): void {
    this.server.close();
  }

  close(): void {
    this.stopListening();
    for (const id of [...this.pools.keys(), ...this.retired.keys()]) this.dropPool(id);
  }

  sweep(): void {
    for (const pool of this.pools.values()) pool.sweep();
    for (const [id, pools] of this.retired) {
      for (const pool of pools) {
        pool.sweep();
        if (pool.size === 0) pools.delete(pool);
      }
      if (pools.size === 0) this.retired.delete(id);
    }
  }

  private dropPool(id: string): void {
    for (const pool of this.retired.get(id) ?? []) pool.close();
    this.retired.delete(id);
    this.pools.get(id)?.close();
    this.pools.delete(id);
  }

  /** A gone app's requests are cut. Those of a changed one end as they began: whether they still may is the owner's to say. */
  private renewPool(id: string): void {
    const pool = this.pools.get(id);
    if (pool === undefined || this.table.byId(id)?.kind !== 'remote') {
      this.dropPool(id);
      return;
    }
    pool.retire();
    this.pools.delete(id);
    const others = this.retired.get(id) ?? new Set();
    this.retired.set(id, others.add(pool));
  }

  private serve(socket: Socket): void {
    const address = (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '');
    this.proxy.serve(new StreamChannel(socket), { address }, (head) => this.route(head));
  }

  private route(head: RequestHead): Route | Refusal {
    const id = idOfHost(head.host, this.node);
    const app = id === undefined ? undefined : this.table.byId(id);
    if (app === undefined) {
      this.unknown += 1;
      const next = 'Use the URI that "dtkd get dtapps" shows.';
      return { status: 404, code: 'NOT_FOUND', message: `there is no app at "${head.host}"`, next };
    }
    if (app.kind === 'own') return this.own.route(app);
    const away = this.peers.whyAway(app);
    if (away !== undefined) return { status: 503, code: 'PEER_AWAY', message: away };
    return { pool: this.poolOf(app), allowCrossSite: app.selectors.allowCrossSite };
  }

  private poolOf(app: RemoteApp): OriginPool {
    const known = this.pools.get(app.id);
    if (known !== undefined) return known;
    const pool = new OriginPool((signal) => this.tunnels.open(app, signal), this.now);
    this.pools.set(app.id, pool);
    return pool;
  }
}

/** What went wrong with listening, for people. */
export function listenError(error: NodeJS.ErrnoException, at: HostPort, what: string): DtkdError {
  if (error.code === 'EADDRINUSE') {
    return new DtkdError('PORT_IN_USE', `${what} cannot listen on ${at.host}:${at.port}: something else does`, {
      next: 'Choose another port, or 0 for any free one.',
      details: { host: at.host, port: at.port },
    });
  }
  return new DtkdError('ADDRESS_INVALID', `${what} cannot listen on ${at.host}:${at.port}: ${error.code ?? 'it failed'}`);
}
