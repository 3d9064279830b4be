import { createServer, type Server, type Socket } from 'node:net';
import { DtkdError } from '../../../protocol/errors.ts';
import { subjectText, type UserPrincipal } from '../../../protocol/rights/principal.ts';
import { idOfHost } from './app-id.ts';
import type { App, AppTable, OwnApp } from './app-table.ts';
import type { Channel } from './channel/channel.ts';
import { StreamChannel } from './channel/stream-channel.ts';
import { CHALLENGE, tokenOf } from './http/credentials.ts';
import type { RequestHead } from './http/head.ts';
import { OriginPool } from './http/origin-pool.ts';
import type { HttpProxy } from './http/proxy.ts';
import type { Route } from './http/proxy-connection.ts';
import type { Refusal } from './http/refusal.ts';
import type { OwnApps } from './own-apps.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { AppUsers, HostPort } from './ports.ts';
import type { TunnelClient } from './tunnel/tunnel-client.ts';

/** Connections that the kernel may queue until they are accepted. */
const BACKLOG = 511;

/**
 * The node's HTTP entrance: listens, and routes each request by its Host to an app of this node or of another member. Requests on a reused
 * connection are independent and may go to different apps. HTTP itself is the proxy's work.
 */
export class Ingress {
  private readonly table: AppTable;
  private readonly peers: PeerDirectory;
  private readonly own: OwnApps;
  private readonly tunnels: TunnelClient;
  private readonly proxy: HttpProxy;
  private readonly users: AppUsers;
  private readonly node: { name: string; suffix: string };
  private readonly now: () => number;
  /** Pools by app id, then by user for apps of type Capability: each tunnel carries the requests of one user only. */
  private readonly pools = new Map<string, Map<string, UserPool>>();
  /** Pools of earlier versions of an app, kept until their last request has ended. */
  private readonly retired = new Map<string, Set<UserPool>>();
  private readonly server: Server;
  private address: HostPort | undefined;
  private unsubscribe: () => void = () => undefined;
  unknown = 0;

  constructor(options: {
    table: AppTable;
    peers: PeerDirectory;
    own: OwnApps;
    tunnels: TunnelClient;
    proxy: HttpProxy;
    users: AppUsers;
    node: { name: string; suffix: string };
    now(): number;
  }) {
    this.table = options.table;
    this.peers = options.peers;
    this.own = options.own;
    this.tunnels = options.tunnels;
    this.proxy = options.proxy;
    this.users = options.users;
    this.node = options.node;
    this.now = options.now;
    const sockets = { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true };
    this.server = createServer(sockets, (socket) => this.serve(socket));
  }

  /** Errors: PORT_IN_USE, CONFIG_INVALID. */
  async listen(at: HostPort): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, at, 'the ingress', '--ingress')));
      this.server.listen({ host: at.host, port: at.port, backlog: BACKLOG }, resolve);
    });
    // A failed accept (no file descriptors left) must not end the daemon.
    this.server.on('error', () => undefined);
    const bound = this.server.address();
    this.address = typeof bound === 'object' && bound !== null ? { host: bound.address, port: bound.port } : at;
    this.table.onChange((ids) => {
      for (const id of ids) this.renewPools(id);
    });
    this.unsubscribe = this.users.onChange(() => this.recheckUsers());
  }

  /** Where the ingress listens. Throws UNAVAILABLE before `listen`. */
  bound(): HostPort {
    if (this.address === undefined) throw new DtkdError('UNAVAILABLE', 'the ingress does not listen');
    return this.address;
  }

  stopListening(): void {
    this.server.close();
  }

  close(): void {
    this.stopListening();
    this.unsubscribe();
    for (const id of [...this.pools.keys(), ...this.retired.keys()]) this.dropPools(id);
  }

  /** Sweeps all pools. Returns whether connections are left. */
  sweep(): boolean {
    for (const [id, pools] of this.pools) {
      for (const [key, { pool, bearer }] of pools) {
        pool.sweep();
        if (bearer !== undefined && pool.size === 0) pools.delete(key);
      }
      if (pools.size === 0) this.pools.delete(id);
    }
    for (const [id, pools] of this.retired) {
      for (const retired of pools) {
        retired.pool.sweep();
        if (retired.pool.size === 0) pools.delete(retired);
      }
      if (pools.size === 0) this.retired.delete(id);
    }
    return this.retired.size > 0 || [...this.pools.values()].some((pools) => [...pools.values()].some(({ pool }) => pool.size > 0));
  }

  private dropPools(id: string): void {
    for (const { pool } of this.retired.get(id) ?? []) pool.close();
    this.retired.delete(id);
    for (const { pool } of this.pools.get(id)?.values() ?? []) pool.close();
    this.pools.delete(id);
  }

  /**
   * Handles a change of an app. Requests to a removed app are cut. Requests to a changed one may finish: whether they still may is for the
   * owner to decide, and for an app of this node that is decided here.
   */
  private renewPools(id: string): void {
    const pools = this.pools.get(id);
    const app = this.table.byId(id);
    if (pools === undefined || app === undefined || (app.kind === 'own' && !asksCapability(app))) {
      this.dropPools(id);
      return;
    }
    this.pools.delete(id);
    const others = this.retired.get(id) ?? new Set();
    for (const changed of pools.values()) {
      changed.pool.retire();
      others.add(changed);
    }
    this.retired.set(id, others);
    this.cutUsers(id, app);
  }

  /**
   * Cuts requests of local users that are no longer allowed: those to an app of this node, if the user has lost REQUEST; those to any app,
   * if the token is no longer valid or its user was deleted. Other nodes cut requests to their own apps, but know nothing of tokens.
   */
  private recheckUsers(): void {
    for (const id of new Set([...this.pools.keys(), ...this.retired.keys()])) {
      const app = this.table.byId(id);
      if (app !== undefined) this.cutUsers(id, app);
    }
  }

  private cutUsers(id: string, app: App): void {
    const isOver = ({ bearer }: UserPool) =>
      bearer !== undefined &&
      (this.users.userOf(bearer.token) === undefined || (app.kind === 'own' && !this.users.mayRequest(bearer.user, app.object).allowed));
    const pools = this.pools.get(id);
    for (const [key, entry] of pools ?? []) {
      if (!isOver(entry)) continue;
      entry.pool.close();
      pools?.delete(key);
    }
    for (const entry of this.retired.get(id) ?? []) if (isOver(entry)) entry.pool.close();
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
    const bearer = asksCapability(app) ? this.bearerOf(head, app) : undefined;
    if (bearer !== undefined && 'status' in bearer) return bearer;
    if (app.kind === 'own') return bearer === undefined ? this.own.route(app) : this.ownRoute(app, bearer);
    const away = this.peers.whyAway(app);
    if (away !== undefined) return { status: 503, code: 'PEER_AWAY', message: away };
    const connect = (signal: AbortSignal) => this.tunnels.open(app, signal, bearer?.user);
    return { pool: this.poolOf(app, bearer, connect), allowCrossSite: app.selectors.allowCrossSite };
  }

  /** The local user whose token the request carries, or the refusal. */
  private bearerOf(head: RequestHead, app: App): Bearer | Refusal {
    const token = tokenOf(head);
    const user = token === undefined ? undefined : this.users.userOf(token);
    if (token !== undefined && user !== undefined) return { user, token };
    return {
      status: 401,
      code: 'UNAUTHORIZED',
      message: token === undefined ? `the app "${app.name}" is for users who log in` : `the token is not valid at ${this.node.name}`,
      next: `Send the token of a user of ${this.node.name} as "Authorization: Bearer TOKEN", or as the password.`,
      fields: CHALLENGE,
    };
  }

  private ownRoute(app: OwnApp, bearer: Bearer): Route | Refusal {
    const decision = this.users.mayRequest(bearer.user, app.object);
    if (!decision.allowed) {
      return { status: 403, code: 'FORBIDDEN', message: decision.reason, next: 'Ask the operator of this node for REQUEST on it.' };
    }
    return { pool: this.poolOf(app, bearer, (signal) => this.own.dial(app, signal)), allowCrossSite: app.selectors.allowCrossSite };
  }

  private poolOf(app: App, bearer: Bearer | undefined, connect: (signal: AbortSignal) => Promise<Channel>): OriginPool {
    const key = bearer === undefined ? '' : subjectText(bearer.user);
    const pools = this.pools.get(app.id) ?? new Map<string, UserPool>();
    const known = pools.get(key);
    if (known !== undefined) return known.pool;
    const pool = new OriginPool(connect, this.now);
    this.pools.set(app.id, pools.set(key, { pool, bearer }));
    return pool;
  }
}

/** A user of this node, and the token presented. */
interface Bearer {
  user: UserPrincipal;
  token: string;
}

interface UserPool {
  pool: OriginPool;
  bearer: Bearer | undefined;
}

function asksCapability(app: App): boolean {
  return app.selectors.authenticationType === 'Capability';
}

/** Turns a failure to listen into an error for people. `flag` is the setting that chooses the address, if there is one. */
export function listenError(error: NodeJS.ErrnoException, at: HostPort, what: string, flag?: string): DtkdError {
  const place = `${what} cannot listen on ${at.host}:${at.port}`;
  const where = flag === undefined ? '' : ` with ${flag}`;
  if (error.code === 'EADDRINUSE') {
    return new DtkdError('PORT_IN_USE', `${place}: something else does`, {
      next: `Stop it, or choose another port${where}; 0 is any free one.`,
      details: { host: at.host, port: at.port },
    });
  }
  return new DtkdError(flag === undefined ? 'ADDRESS_INVALID' : 'CONFIG_INVALID', `${place}: ${error.code ?? 'it failed'}`, {
    next: `Choose an address of this machine, and a port above 1023${flag === undefined ? '' : `, with ${flag}`}.`,
  });
}
