import type { TLSSocket } from 'node:tls';
import type { Channel } from '../channel/channel.ts';
import type { PeerDirectory } from '../peer-directory.ts';
import type { Author, TunnelMesh } from '../ports.ts';

/**
 * The open lanes, each bound to the Noise connection to its member: when that goes, or the member, the lane goes too. So the mesh is told
 * that the connection is needed, though nothing runs on it.
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

  /** False, and nothing is kept, if the member is not connected. */
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
