import type { TLSSocket } from 'node:tls';
import type { Channel } from '../channel/channel.ts';
import type { PeerDirectory } from '../peer-directory.ts';
import type { Author, TunnelMesh } from '../ports.ts';

/**
 * The open lanes. Each is bound to the Noise connection to its member and is aborted once that member is no longer connected. The mesh is
 * told to keep the connection, although no stream runs on it.
 */
export class LaneBook {
  private readonly lanes = new Map<Channel, Author>();
  private readonly mesh: Pick<TunnelMesh, 'hold'>;
  private readonly peers: PeerDirectory;

  constructor(mesh: Pick<TunnelMesh, 'hold'>, peers: PeerDirectory) {
    this.mesh = mesh;
    this.peers = peers;
  }

  get size(): number {
    return this.lanes.size;
  }

  /** Registers a lane. False, with nothing registered, if the member is not connected. */
  add(member: Author, tls: TLSSocket, channel: Channel): boolean {
    if (!this.peers.isConnected(member)) return false;
    this.lanes.set(channel, member);
    const release = this.mesh.hold(member.domain, member.peer);
    tls.once('close', () => {
      this.lanes.delete(channel);
      release();
    });
    return true;
  }

  /** To be called when the mesh changed. */
  recheck(): void {
    for (const [channel, member] of this.lanes) if (!this.peers.isConnected(member)) channel.abort();
  }

  closeAll(): void {
    for (const channel of [...this.lanes.keys()]) channel.abort();
  }
}
