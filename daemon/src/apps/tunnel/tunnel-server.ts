import { DtkdError } from '../../../../protocol/errors.ts';
import type { AppSelectors } from '../../../../protocol/kinds/dtapp.ts';
import {
  decodeTunnelRequest,
  encodeRefusal,
  encodeTunnelAccepted,
  TUNNEL_PROTOCOL,
  type TunnelRequest,
} from '../../../../protocol/peers/tunnel.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import { Turns } from '../../counting/turns.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { AppTable, OwnApp } from '../app-table.ts';
import type { Channel, Traffic } from '../channel/channel.ts';
import { pump } from '../channel/pump.ts';
import { StreamChannel } from '../channel/stream-channel.ts';
import type { HttpProxy } from '../http/proxy.ts';
import type { OwnApps } from '../own-apps.ts';
import type { PeerDirectory } from '../peer-directory.ts';
import type { AppUsers, Author, TunnelMesh } from '../ports.ts';
import { readFrame } from './frames.ts';

/** Time for the request to arrive once the stream is open. */
const REQUEST_MS = 5_000;
/** Time for a refused caller to read the reason. */
const FAREWELL_MS = 2_000;
/** Tunnels of one member, over streams and lanes together: twice what its ingress keeps busy. */
const MAX_PER_MEMBER = 4_096;
/** Tunnels of all members. */
const MAX_IN_ALL = 16_384;

interface Live {
  channel: Channel;
  from: Author;
  uid: string;
  type: AppSelectors['authenticationType'];
  /** On whose behalf, for an app of type Capability. */
  user: UserPrincipal | undefined;
}

/**
 * The owner's end of tunnels. Decides from its own store whether a member may reach an app, connects the tunnel to an endpoint, and cuts it
 * as soon as the app, its domains, its authentication or a user's rights no longer allow it. Where an app authenticates each request, the
 * owner itself parses the HTTP, so that nothing the caller's node does can bypass it.
 */
export class TunnelServer {
  private readonly table: AppTable;
  private readonly peers: PeerDirectory;
  private readonly own: OwnApps;
  private readonly proxy: HttpProxy;
  private readonly users: AppUsers;
  private readonly logger: Logger;
  private readonly live = new Set<Live>();
  private readonly places: Turns;
  private stopped = false;
  private unsubscribe: () => void = () => undefined;
  accepted = 0;
  readonly traffic: Traffic = { received: 0, sent: 0 };
  refused = 0;

  constructor(options: {
    table: AppTable;
    peers: PeerDirectory;
    own: OwnApps;
    proxy: HttpProxy;
    users: AppUsers;
    /** The most tunnels at once, if less than MAX_IN_ALL. */
    most: number | undefined;
    logger: Logger;
  }) {
    this.table = options.table;
    this.peers = options.peers;
    this.own = options.own;
    this.proxy = options.proxy;
    this.users = options.users;
    this.logger = options.logger;
    this.places = new Turns({ each: MAX_PER_MEMBER, all: Math.min(options.most ?? MAX_IN_ALL, MAX_IN_ALL), sharing: true, waitingEach: 0 });
  }

  start(mesh: TunnelMesh): void {
    mesh.handle(TUNNEL_PROTOCOL, (stream, from) => this.accept(new StreamChannel(stream), from));
    this.table.onChange(() => this.recheck());
    this.unsubscribe = this.users.onChange(() => this.recheck());
  }

  stop(): void {
    this.stopped = true;
    this.unsubscribe();
    for (const { channel } of [...this.live]) channel.abort();
  }

  get size(): number {
    return this.live.size;
  }

  /** Serves one tunnel of a member; never throws. */
  accept(channel: Channel, from: Author): void {
    channel.countInto(this.traffic);
    void this.serve(channel, from).catch((error: unknown) => {
      this.refused += 1;
      const refusal = error instanceof DtkdError ? error : new DtkdError('UNAVAILABLE', 'the app could not be reached');
      this.logger.debug({ code: refusal.code, peer: from.peer }, 'a tunnel was refused');
      channel.write(encodeRefusal(refusal));
      channel.end();
      channel.resume();
      setTimeout(() => channel.discard(), FAREWELL_MS).unref();
    });
  }

  private async serve(channel: Channel, from: Author): Promise<void> {
    const request = decodeTunnelRequest(await readFrame(channel, REQUEST_MS));
    const app = this.appFor(request, from);
    if (this.stopped) throw new DtkdError('UNAVAILABLE', 'the daemon of the app is stopping');
    const { authenticationType: type } = app.selectors;
    const user = type === 'Capability' ? this.userOf(request, from, app) : undefined;
    const leave = this.places.take(`${from.domain} ${from.peer}`, () => {});
    if (leave === undefined) {
      throw new DtkdError('TOO_MANY_REQUESTS', 'this member has too many tunnels open', { next: 'Wait for some of its requests to end.' });
    }
    const entry: Live = { channel, from, uid: app.uid, type, user };
    this.live.add(entry);
    const release = () => {
      this.live.delete(entry);
      leave();
    };
    try {
      if (type === 'Custom') this.serveHttp(entry, app, release);
      else await this.pipe(entry, app, release);
      this.accepted += 1;
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * Finds the app of a request. Gives the same answer for a missing app as for one that is not shared with the member, so that it learns
   * nothing about the latter.
   */
  private appFor(request: TunnelRequest, from: Author): OwnApp {
    const app = this.table.ownByUid(request.app);
    if (app === undefined || !this.mayReach(app, from)) {
      throw new DtkdError('NOT_FOUND', `there is no app "${request.name}" here that is shared with you`);
    }
    return app;
  }

  /** The user on whose behalf the tunnel is opened. Refuses a user who may not send requests to the app. */
  private userOf(request: TunnelRequest, from: Author, app: OwnApp): UserPrincipal {
    if (request.user === undefined) throw new DtkdError('UNAUTHORIZED', `the app "${app.name}" is for users who may send requests to it`);
    const user = this.users.remoteUser(from, request.user);
    const decision = this.users.admit(user, app.object);
    if (decision.allowed) return user;
    throw new DtkdError('FORBIDDEN', decision.reason, { next: 'Ask the owner of the app for REQUEST on it.' });
  }

  private mayReach(app: OwnApp, from: Author): boolean {
    const domain = this.peers.domainById(from.domain);
    const peer = this.peers.peer(from);
    return domain !== undefined && peer !== undefined && !peer.suspended && app.selectors.domains.includes(domain.name);
  }

  private async pipe(entry: Live, app: OwnApp, release: () => void): Promise<void> {
    const origin = await this.own.dial(app);
    // Checked again: what is allowed may have changed while dialling.
    if (entry.channel.closed || !this.stands(entry)) {
      origin.abort();
      throw new DtkdError('NOT_FOUND', `there is no app "${app.name}" here that is shared with you`);
    }
    entry.channel.write(encodeTunnelAccepted());
    pump(entry.channel, origin, release);
  }

  private serveHttp(entry: Live, app: OwnApp, release: () => void): void {
    entry.channel.write(encodeTunnelAccepted());
    const node = this.peers.peer(entry.from)?.displayName ?? 'unknown';
    this.proxy.serve(
      entry.channel,
      { address: 'unknown', node },
      () => {
        const current = this.table.ownByUid(app.uid);
        if (current === undefined || !this.stands(entry)) {
          return { status: 404, code: 'NOT_FOUND', message: `there is no app "${app.name}" here that is shared with you` };
        }
        // Cross-site requests are a matter of the client's browser, and the caller's ingress has already judged them.
        return { ...this.own.route(current), allowCrossSite: true };
      },
      release,
    );
  }

  private stands(entry: Live): boolean {
    const app = this.table.ownByUid(entry.uid);
    if (app === undefined || !this.mayReach(app, entry.from) || app.selectors.authenticationType !== entry.type) return false;
    return entry.user === undefined || this.users.mayRequest(entry.user, app.object).allowed;
  }

  /** To be called when apps, rights or the mesh changed: cuts tunnels that are no longer allowed. */
  recheck(): void {
    for (const entry of [...this.live]) if (!this.stands(entry)) entry.channel.abort();
  }
}
