import type { TLSSocket } from 'node:tls';
import type { Channel } from '../channel/channel.ts';
import type { PeerDirectory } from '../peer-directory.ts';
import type { Author } from '../ports.ts';

/** The open lanes, each bound to the Noise connection to its member: when that goes, or the member, the lane goes too. */
export class LaneBook {
  private readonly lanes = new Map<Channel, Author>();
  private readonly peers: PeerDirectory;

  constructor(peers: PeerDirectory) {
    this.peers = peers;
  }

  get size(): number {
    return this.lanes.size;
  }

  /** False, and nothing is kept, if the member is not connected. */
  add(member: Author, tls: TLSSocket, channel: Channel): boolean {
    if (this.peers.peer(member)?.connected !== true) return false;
    this.lanes.set(channel, member);
    tls.once('close', () => this.lanes.delete(channel));
    return true;
  }

  /** To be called when the mesh changed. */
  recheck(): void {
    for (const [channel, member] of this.lanes) if (this.peers.peer(member)?.connected !== true) channel.abort();
  }

  closeAll(): void {
    for (const channel of [...this.lanes.keys()]) channel.abort();
  }
}
