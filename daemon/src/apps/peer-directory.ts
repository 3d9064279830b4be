import { awayText } from './app-status.ts';
import type { RemoteApp } from './app-table.ts';
import type { Author, TunnelDomain, TunnelMesh, TunnelPeer } from './ports.ts';

/** Members by key. The table is built once per change of the mesh, instead of once per request. */
export class PeerDirectory {
  private readonly mesh: TunnelMesh;
  private peers = new Map<string, TunnelPeer>();
  private domains: readonly TunnelDomain[] = [];

  constructor(mesh: TunnelMesh) {
    this.mesh = mesh;
    this.refresh();
  }

  /** To be called when the mesh changed. */
  refresh(): void {
    this.domains = this.mesh.domains();
    this.peers = new Map(this.domains.flatMap((domain) => domain.peers.map((peer) => [`${domain.id} ${peer.key}`, peer] as const)));
  }

  peer(author: Author): TunnelPeer | undefined {
    return this.peers.get(`${author.domain} ${author.peer}`);
  }

  /** True while there is a connection with the member. */
  isConnected(author: Author): boolean {
    return this.peer(author)?.reach === 'connected';
  }

  /**
   * Says why an app cannot be used now, for people; undefined if its owner is connected or idle. Otherwise asks the mesh to look for the
   * owner.
   */
  whyAway(app: RemoteApp): string | undefined {
    const peer = this.peer(app.author);
    if (peer !== undefined && peer.reach !== 'away') return undefined;
    this.mesh.want(app.author.domain, app.author.peer);
    return this.awayText(app);
  }

  /** Says that the owner of an app cannot be reached, and since when, if that is known. */
  awayText(app: RemoteApp): string {
    const peer = this.peer(app.author);
    return awayText(app.namespace, app.name, peer?.reach === 'away' ? peer.since : undefined);
  }

  domainById(id: string): TunnelDomain | undefined {
    return this.domains.find((domain) => domain.id === id);
  }

  hasDomain(name: string): boolean {
    return this.domains.some((domain) => domain.name === name);
  }
}
