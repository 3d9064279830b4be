/** A mesh of nodes in one process: streams are pairs of Duplex, the mesh port is a real loopback port (for the fast lane only). */
import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Author, TunnelDomain, TunnelMesh, TunnelPeer } from '../../daemon/src/apps/ports.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { type DomainId, type PeerKey, parseDomainId, parsePeerKey } from '../../protocol/ids.ts';

function hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** One end of a pair: half-close and abort cross it as they cross a real stream. */
class End extends Duplex {
  other: End | undefined;
  private pulled: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 64 * 1024 });
  }

  override _read(): void {
    const pulled = this.pulled;
    this.pulled = undefined;
    pulled?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const { other } = this;
    if (other === undefined || other.destroyed) return;
    if (other.push(chunk)) done();
    else other.pulled = done;
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    const clean = error === null && this.readableEnded && this.writableFinished;
    if (!clean) setImmediate(() => other?.destroy(new Error('the other side aborted')));
    done(error);
  }
}

export function streamPair(): [Duplex, Duplex] {
  const [a, b] = [new End(), new End()];
  a.other = b;
  b.other = a;
  a.on('error', () => undefined);
  b.on('error', () => undefined);
  return [a, b];
}

type Handler = Parameters<TunnelMesh['handle']>[1];

class NodeMesh implements TunnelMesh {
  readonly name: string;
  readonly handlers = new Map<string, Handler>();
  readonly streams = new Set<Duplex>();
  tlsHandler: ((socket: Socket, domain: DomainId) => void) | undefined;
  private readonly network: MemoryNetwork;
  private readonly listeners = new Set<() => void>();
  readonly sockets = new Set<Socket>();
  server: Server | undefined;
  /** Calls of `openStream`. */
  asked = 0;
  /** What was wanted while away, and whose connections are held now. */
  readonly wanted: PeerKey[] = [];
  readonly held: PeerKey[] = [];
  /** What `directAddresses` answers instead of the real port. */
  addresses: { host: string; port: number }[] | undefined;

  constructor(network: MemoryNetwork, name: string) {
    this.network = network;
    this.name = name;
  }

  domains(): TunnelDomain[] {
    return this.network.domainsOf(this.name);
  }

  async openStream(domain: DomainId, peer: PeerKey, protocol: string): Promise<Duplex> {
    const target = this.network.nodeOf(domain, peer);
    this.asked += 1;
    // As the real mesh does: it takes a moment to find out.
    await new Promise((resolve) => setImmediate(resolve));
    if (target !== undefined) this.network.tried(this.name, target.name);
    if (target === undefined || this.network.isCut(this.name, target.name)) throw new DtkdError('PEER_AWAY', 'the peer is away');
    const handler = target.handlers.get(protocol);
    if (handler === undefined) throw new DtkdError('UNAVAILABLE', 'protocol not served');
    const [here, there] = streamPair();
    this.streams.add(here);
    here.once('close', () => this.streams.delete(here));
    this.network.opened.push(protocol);
    handler(there, { domain, peer: keyOf(this.name, domain) });
    return here;
  }

  want(_domain: DomainId, peer: PeerKey): void {
    this.wanted.push(peer);
  }

  hold(_domain: DomainId, peer: PeerKey): () => void {
    this.held.push(peer);
    return () => void this.held.splice(this.held.indexOf(peer), 1);
  }

  handle(protocol: string, handler: Handler): void {
    this.handlers.set(protocol, handler);
  }

  directAddresses(domain: DomainId, peer: PeerKey): { host: string; port: number }[] {
    const target = this.network.nodeOf(domain, peer);
    if (target?.server === undefined) return [];
    const bound = target.server.address();
    if (target.addresses !== undefined) return target.addresses;
    return typeof bound === 'object' && bound !== null ? [{ host: '127.0.0.1', port: bound.port }] : [];
  }

  onTlsSocket(handler: (socket: Socket, domain: DomainId) => void): void {
    this.tlsHandler = handler;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.listeners) listener();
  }
}

function keyOf(node: string, domain: DomainId): PeerKey {
  return parsePeerKey(hex(`${node} ${domain}`));
}

/** Nodes, the domains that they are members of, and which of them cannot see one another. */
export class MemoryNetwork {
  readonly opened: string[] = [];
  private readonly nodes = new Map<string, NodeMesh>();
  private readonly members = new Map<string, string[]>();
  private readonly cuts = new Map<string, number>();
  private readonly idles = new Set<string>();

  /** Adds a node. With `lanes`, it has a mesh port at which lanes arrive. */
  async node(name: string, domains: readonly string[], options: { lanes?: boolean } = {}): Promise<NodeMesh> {
    const mesh = new NodeMesh(this, name);
    this.nodes.set(name, mesh);
    for (const domain of domains) this.members.set(domain, [...(this.members.get(domain) ?? []), name]);
    if (options.lanes === true) await this.listen(mesh, domains[0] ?? '');
    this.changed();
    return mesh;
  }

  private async listen(mesh: NodeMesh, domain: string): Promise<void> {
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      mesh.sockets.add(socket);
      socket.once('close', () => mesh.sockets.delete(socket));
      socket.on('error', () => undefined);
      // As the real mesh does: look at the first byte and put it back.
      socket.once('readable', () => {
        const first: unknown = socket.read();
        if (!(first instanceof Buffer) || first[0] !== 0x16) return socket.destroy();
        socket.unshift(first);
        return mesh.tlsHandler?.(socket, this.domainId(domain));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    mesh.server = server;
  }

  domainId(name: string): DomainId {
    return parseDomainId(hex(`domain ${name}`));
  }

  domainsOf(node: string): TunnelDomain[] {
    return [...this.members]
      .filter(([, members]) => members.includes(node))
      .map(([name, members]) => {
        const id = this.domainId(name);
        return { id, name, self: keyOf(node, id), peers: members.map((other) => this.peerView(node, other, id)) };
      });
  }

  private peerView(node: string, other: string, domain: DomainId): TunnelPeer {
    const pair = [node, other].sort().join(' ');
    const cut = this.cuts.get(pair);
    const self = node === other;
    const reach = self || (cut === undefined && !this.idles.has(pair)) ? 'connected' : this.idles.has(pair) ? 'idle' : 'away';
    return { key: keyOf(other, domain), displayName: other, self, reach, suspended: false, since: cut };
  }

  nodeOf(domain: DomainId, peer: PeerKey): NodeMesh | undefined {
    return [...this.nodes.values()].find((node) => keyOf(node.name, domain) === peer);
  }

  authorOf(namespace: string): Author | undefined {
    for (const [name, members] of this.members) {
      const domain = this.domainId(name);
      if (members.includes(namespace)) return { domain, peer: keyOf(namespace, domain) };
    }
    return undefined;
  }

  isCut(a: string, b: string): boolean {
    return this.cuts.has([a, b].sort().join(' '));
  }

  /** Breaks the connection of two nodes at a given time; their streams abort. */
  cut(a: string, b: string, since: number): void {
    this.cuts.set([a, b].sort().join(' '), since);
    for (const name of [a, b]) for (const stream of this.nodes.get(name)?.streams ?? []) stream.destroy(new Error('cut'));
    this.changed();
  }

  /** Leaves two nodes without a connection until one opens a stream to the other. */
  rest(a: string, b: string): void {
    this.idles.add([a, b].sort().join(' '));
    this.changed();
  }

  tried(a: string, b: string): void {
    if (this.idles.delete([a, b].sort().join(' '))) this.changed();
  }

  heal(a: string, b: string): void {
    this.cuts.delete([a, b].sort().join(' '));
    this.changed();
  }

  /** Takes a node out of a domain. */
  remove(node: string, domain: string): void {
    this.members.set(
      domain,
      (this.members.get(domain) ?? []).filter((name) => name !== node),
    );
    this.changed();
  }

  join(node: string, domain: string): void {
    this.members.set(domain, [...(this.members.get(domain) ?? []), node]);
    this.changed();
  }

  private changed(): void {
    for (const node of this.nodes.values()) node.changed();
  }

  async close(): Promise<void> {
    for (const node of this.nodes.values()) {
      for (const socket of node.sockets) socket.destroy();
      node.server?.close();
    }
  }
}

export type { NodeMesh };
