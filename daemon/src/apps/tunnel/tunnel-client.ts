import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../../protocol/errors.ts';
import { checkTunnelAnswer, encodeTunnelRequest, TUNNEL_PROTOCOL } from '../../../../protocol/peers/tunnel.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { RemoteApp } from '../app-table.ts';
import type { Channel, Traffic } from '../channel/channel.ts';
import { StreamChannel } from '../channel/stream-channel.ts';
import type { LaneClient } from '../lane/lane-client.ts';
import type { PeerDirectory } from '../peer-directory.ts';
import type { TunnelMesh } from '../ports.ts';
import { readFrame } from './frames.ts';

/** Time for the owner's answer, since it may try several endpoints first. */
const ANSWER_MS = 20_000;

/** The caller's end of tunnels: opens one to another member's app, over the fast lane where that works, otherwise over the mesh. */
export class TunnelClient {
  private readonly mesh: TunnelMesh;
  private readonly peers: PeerDirectory;
  private readonly lanes: LaneClient;
  private stream = 0;
  readonly traffic: Traffic = { received: 0, sent: 0 };

  constructor(options: { mesh: TunnelMesh; peers: PeerDirectory; lanes: LaneClient }) {
    this.mesh = options.mesh;
    this.peers = options.peers;
    this.lanes = options.lanes;
  }

  /** Tunnels opened over mesh streams. */
  get streams(): number {
    return this.stream;
  }

  /**
   * Opens a tunnel. `user`: on whose behalf, for apps of type Capability. Errors: PEER_AWAY, or the owner's answer (NOT_FOUND, FORBIDDEN,
   * UNAVAILABLE, …).
   */
  async open(app: RemoteApp, signal?: AbortSignal, user?: UserPrincipal): Promise<Channel> {
    const away = this.peers.whyAway(app);
    if (away !== undefined) throw new DtkdError('PEER_AWAY', away);
    const lane = await this.lanes.open(app.author, signal);
    if (lane !== undefined) {
      try {
        return await this.request(lane, app, user);
      } catch (error) {
        // An answer of the owner is final. A broken lane is no answer, so the stream is tried.
        if (error instanceof DtkdError && error.code !== 'FRAME_INVALID' && error.code !== 'TIMEOUT') throw error;
        signal?.throwIfAborted();
      }
    }
    this.stream += 1;
    return await this.request(new StreamChannel(await this.openStream(app, signal)), app, user);
  }

  private async openStream(app: RemoteApp, signal?: AbortSignal): Promise<Duplex> {
    try {
      return await this.mesh.openStream(app.author.domain, app.author.peer, TUNNEL_PROTOCOL, signal);
    } catch (cause) {
      if (cause instanceof DtkdError && cause.code === 'VERSION_TOO_OLD') {
        throw new DtkdError('UNAVAILABLE', `${app.namespace}, which owns the app "${app.name}", cannot be asked: ${cause.message}`, {
          cause,
          ...(cause.next === undefined ? {} : { next: cause.next }),
        });
      }
      if (!(cause instanceof DtkdError) || cause.code !== 'PEER_AWAY') throw cause;
      // The mesh does not know which app the stream is for, so its error cannot name it.
      throw new DtkdError('PEER_AWAY', this.peers.awayText(app), { cause });
    }
  }

  private async request(channel: Channel, app: RemoteApp, user: UserPrincipal | undefined): Promise<Channel> {
    channel.countInto(this.traffic);
    channel.write(encodeTunnelRequest({ app: app.uid, name: app.name, ...(user === undefined ? {} : { user }) }));
    try {
      checkTunnelAnswer(await readFrame(channel, ANSWER_MS));
    } catch (error) {
      channel.abort();
      throw error;
    }
    return channel;
  }
}
