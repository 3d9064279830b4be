/**
 * What dtApps need of the rest of the daemon, and what they offer to it. daemon.ts wires both; nothing here knows libp2p, LevelDB or HTTP.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { DomainId, PeerKey } from '../../../protocol/ids.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { Principal, UserPrincipal } from '../../../protocol/rights/principal.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

/** A member as the tunnels see it. */
export interface TunnelPeer {
  key: PeerKey;
  displayName: string;
  self: boolean;
  /** `idle`: not connected, and nothing speaks against reaching it when a stream is opened. `away`: it could not be reached. */
  reach: 'connected' | 'idle' | 'away';
  suspended: boolean;
  /** Milliseconds since the epoch: connected, away, or without a connection since then. */
  since: number | undefined;
}

/** A domain as the tunnels see it. */
export interface TunnelDomain {
  id: DomainId;
  name: string;
  /** This node's key in the domain. */
  self: PeerKey;
  peers: readonly TunnelPeer[];
}

/** The part of the mesh that carries tunnels. `Mesh` satisfies it as it stands. */
export interface TunnelMesh {
  domains(): readonly TunnelDomain[];
  /** Opens a stream to a member that is connected or idle. PEER_AWAY if it cannot be reached. A Duplex that closes without having ended was aborted. */
  openStream(domain: DomainId, peer: PeerKey, protocol: string, signal?: AbortSignal): Promise<Duplex>;
  /** Something is wanted of a member that is away: it is looked for soon. Cheap, so it may be called for every request. */
  want(domain: DomainId, peer: PeerKey): void;
  /** Keeps the connection with a member though no stream runs on it. Returns a function that lets it go. */
  hold(domain: DomainId, peer: PeerKey): () => void;
  /** Serves a members-only protocol. */
  handle(protocol: string, handler: (stream: Duplex, from: { domain: DomainId; peer: PeerKey }) => void): void;
  /** Where a member may be dialled directly, the best first. */
  directAddresses(domain: DomainId, peer: PeerKey): { host: string; port: number }[];
  /** Hands over TCP connections to a mesh port that begin with a TLS ClientHello; what was read of them is back in the socket. */
  onTlsSocket(handler: (socket: Socket, domain: DomainId) => void): void;
  /** Called whenever domains, members or connectedness changed. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
}

/** Who writes the objects of a namespace: one member's key in one domain. */
export interface Author {
  domain: DomainId;
  peer: PeerKey;
}

export interface HostPort {
  host: string;
  port: number;
}

/** Who may use apps that ask for a capability. */
export interface AppUsers {
  /** The user of this node whose token it is. */
  userOf(token: string): UserPrincipal | undefined;
  /** A user of another member, as that member vouches for it. */
  remoteUser(from: Author, user: { name: string; uid: string }): UserPrincipal;
  /** Decides REQUEST on an own app. */
  mayRequest(user: UserPrincipal, app: ApiObject): { allowed: true } | { allowed: false; reason: string };
  /** The same of a user of another member who opens a tunnel: that decision is written down. */
  admit(user: UserPrincipal, app: ApiObject): { allowed: true } | { allowed: false; reason: string };
  /** Called whenever a decision may have changed, or a token has ended. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
}

export interface AppsOptions {
  store: ObjectStore;
  users: AppUsers;
  mesh: TunnelMesh;
  /** This node's name and the suffix of its app addresses, e.g. `dtkd.localhost`. */
  node: { name: string; suffix: string };
  /** Where the ingress listens; port 0 takes a free one. */
  ingress: HostPort;
  /** Connections of clients, and tunnels of members, at once. Default: as many as the parts take themselves. */
  most?: { connections: number; tunnels: number };
  /** The member whose objects are kept under a namespace; undefined for this node's own and for unknown ones. */
  authorOf(namespace: string): Author | undefined;
  /** Everything that this daemon listens on (API, mesh ports, ingress): never a target of an app. */
  ownListeners(): readonly HostPort[];
  logger: Logger;
}

/** A subresource of the API as `ApiExtensions.subresources` wants it. */
export type AppAction = (request: {
  principal: Principal;
  namespace: string;
  name: string;
  rest: readonly string[];
  method: 'GET' | 'POST' | 'DELETE';
  body: unknown;
  signal: AbortSignal;
}) => Promise<unknown | { stream: AsyncIterable<unknown> }>;

/** What a forward tells its user, one JSON line each. */
export type ForwardEvent = { listening: string } | { connections: number } | { error: string; code: string };

export interface Apps {
  /** Registers the mesh protocols, loads the apps, and opens the ingress. Errors: PORT_IN_USE. */
  start(): Promise<void>;
  /** To be called once the mesh has said which domains there are: until then no app is said to have none. */
  domainsKnown(): void;
  /** Closes the ingress, all tunnels and forwards. */
  stop(): Promise<void>;
  /** Where the ingress listens, after `start`. */
  ingressAddress(): HostPort;
  /** Opens a local port that leads to an app (own name, copy name, or name at its owner if it is unique). Ends with the signal. */
  createForward(options: {
    name: string;
    namespace?: string;
    local?: string;
    principal: Principal;
    signal: AbortSignal;
  }): Promise<AsyncIterable<ForwardEvent>>;
  /** Subresources for the API, by `group/plural/subresource`. */
  readonly actions: ReadonlyMap<string, AppAction>;
  /** Apps of this node and copies of others', by status. */
  summary(): { own: number; copies: number; byStatus: Record<string, number> };
  /** How apps of this node stand, and whether something answers behind them: endpoints are connected to, and left again. */
  tryOwn(signal: AbortSignal): Promise<{ name: string; status: string; message: string | undefined; answers: boolean | undefined }[]>;
  counters(): Record<string, number>;
  figures(): AppFigures;
}

/** Numbers for those who watch over the daemon. */
export interface AppFigures {
  /** Answers of the HTTP proxy by the first digit of their status. */
  answers: readonly number[];
  /** Tunnels of members to apps of this node, and bytes that they carried from and to them. */
  served: { received: number; sent: number; open: number; accepted: number; refused: number };
  /** Tunnels of this node to apps of members. */
  opened: { received: number; sent: number; streams: number; lanes: number; lanesOpened: number; lanesFailed: number };
}
