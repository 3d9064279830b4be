import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import type { Logger } from '../../logging/logger.types.ts';

/** One connection to one key. It starts as a stranger's; `admit` opens the members-only protocols to the other side. */
export interface Link {
  readonly id: string;
  /** The key that the other side proved in the Noise handshake. */
  readonly peer: PeerKey;
  readonly inbound: boolean;
  /** The member that relays it; undefined if it is direct. */
  readonly via: PeerKey | undefined;
  /** The other side's address and port as seen from here; absent if relayed. */
  readonly remote: Address | undefined;
  /** Milliseconds on the monotonic clock (`performance.now`). */
  readonly openedAt: number;
  readonly admitted: boolean;
  readonly closed: boolean;
  /** True while streams other than gossip, routing and comparisons run on it. */
  readonly busy: boolean;
  /** Opens a stream. Errors: PEER_AWAY (also if the other side does not serve the protocol). */
  open(protocol: string, signal: AbortSignal): Promise<Duplex>;
  /** Lets the other side open members-only protocols. */
  admit(): void;
  /** Tells gossip and routing that the peer may be used. Call it once both sides have admitted, and again to make them look anew. */
  announce(protocols: readonly string[], addresses: readonly Address[]): Promise<void>;
  /** Bytes received; undefined where they are not counted, as on a relayed link. */
  readonly received: number | undefined;
  /** Bytes that the system has taken to send, and those still waiting for room; undefined if unknown. */
  readonly sending: { taken: number; waiting: number } | undefined;
  /** Resolves if the other side answers in time; rejects otherwise. */
  ping(timeoutMs: number): Promise<void>;
  /** Lets data already sent get through, then closes. */
  close(): Promise<void>;
  /** Cuts at once, with all streams and relayed circuits. */
  abort(reason: string): void;
}

export type StreamHandler = (stream: Duplex, link: Link) => void;

export interface ServeOptions {
  /** Open to links that are not (yet) admitted: for hello and join only. */
  strangers?: boolean;
  /** Concurrent inbound streams of this protocol on one connection. */
  maxStreams: number;
}

export interface DialOptions {
  /** For the TCP connection alone; the handshake has its own limit, since a busy machine may need longer. */
  connectTimeoutMs?: number;
  /** Called when the TCP connection is established and the handshake begins. */
  onConnected?: () => void;
}

export type Verdict = 'accept' | 'ignore' | 'reject';

export interface HostOptions {
  domain: DomainId;
  key: SigningKey;
  logger: Logger;
  /** True for keys with which this host may connect of its own accord, and between which it may relay. */
  isMember(key: PeerKey): boolean;
  onTls(socket: Socket): void;
  /** Simulates faults in tests: direct connections with such a key fail, as if the network were cut between the two. */
  cutOff?: ((key: PeerKey) => boolean) | undefined;
  /** Judges a gossiped message before it is forwarded; `from` is the neighbour that sent it, not the author. */
  validate(from: PeerKey, data: Uint8Array): Promise<Verdict>;
}

/** The libp2p host of one domain. */
export interface Host {
  readonly key: PeerKey;
  /** Protocols that it serves, and that of discovery, which it serves at times; for hello. */
  protocols(): string[];
  /** Opens the port. Errors: PORT_IN_USE. */
  listen(hosts: readonly string[], port: number): Promise<void>;
  /** Errors: ADDRESS_UNREACHABLE (no TCP), NOT_DTKD (TCP, but not this protocol or not the expected key). */
  dial(address: Address, expected: PeerKey | undefined, signal: AbortSignal, options?: DialOptions): Promise<Link>;
  /** Connects to a member through another one. Errors: PEER_AWAY. */
  dialThrough(relay: PeerKey, target: PeerKey, signal: AbortSignal): Promise<Link>;
  serve(protocol: string, handler: StreamHandler, options: ServeOptions): Promise<void>;
  links(): readonly Link[];
  onLink(listener: (link: Link) => void): void;
  onUnlink(listener: (link: Link) => void): void;
  /** Gossips to all members. Returns false, and sends nothing, if the data is too large for gossip. */
  publish(data: Uint8Array): Promise<boolean>;
  /** Starts kad-dht, and mDNS if wanted. Calls `onFound` with what they find, which dialling must check. */
  startDiscovery(options: { mdns: boolean }, onFound: (key: PeerKey, addresses: Address[]) => void): Promise<void>;
  stopDiscovery(): Promise<void>;
  /** Asks the members' routing table where a member is; finds nothing unless discovery runs. */
  findPeer(key: PeerKey, signal: AbortSignal): Promise<Address[]>;
  stop(): Promise<void>;
  counters(): Record<string, number>;
}
