import type { Author, TunnelDomain, TunnelMesh, TunnelPeer } from './ports.ts';

/** Members by key, looked up once per change of the mesh instead of once per request. */
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

  domainById(id: string): TunnelDomain | undefined {
    return this.domains.find((domain) => domain.id === id);
  }

  /** True if this node is in no domain, as far as is known. */
  isEmpty(): boolean {
    return this.domains.length === 0;
  }

  hasDomain(name: string): boolean {
    return this.domains.some((domain) => domain.name === name);
  }
}
