/**
 * The ports of the dtApps part: what it needs from the rest of the daemon, and what it offers in return. daemon.ts wires both; nothing here
 * knows libp2p, LevelDB or HTTP.
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
  /** `idle`: not connected, but presumably reachable once a stream is opened. `away`: it could not be reached. */
  reach: 'connected' | 'idle' | 'away';
  suspended: boolean;
  /** When the current `reach` began, in milliseconds since the epoch. Undefined if unknown. */
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

/** The part of the mesh that carries tunnels. `Mesh` implements it directly. */
export interface TunnelMesh {
  domains(): readonly TunnelDomain[];
  /**
   * Opens a stream to a member that is connected or idle. PEER_AWAY if it cannot be reached. A Duplex that closes before it has ended was
   * aborted.
   */
  openStream(domain: DomainId, peer: PeerKey, protocol: string, signal?: AbortSignal): Promise<Duplex>;
  /** Asks the mesh to look for an away member soon. Cheap enough to call for every request. */
  want(domain: DomainId, peer: PeerKey): void;
  /** Keeps the connection to a member open even while it carries no stream. Returns a function that releases it. */
  hold(domain: DomainId, peer: PeerKey): () => void;
  /** Serves a members-only protocol. */
  handle(protocol: string, handler: (stream: Duplex, from: { domain: DomainId; peer: PeerKey }) => void): void;
  /** The addresses at which a member can be dialled directly, best first. */
  directAddresses(domain: DomainId, peer: PeerKey): { host: string; port: number }[];
  /** Passes on TCP connections to a mesh port that begin with a TLS ClientHello. The bytes already read are put back into the socket. */
  onTlsSocket(handler: (socket: Socket, domain: DomainId) => void): void;
  /** Calls the listener whenever domains, members or their connections change. Returns a function that unsubscribes. */
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

/** Decides who may use apps with authentication type Capability. */
export interface AppUsers {
  /** The local user to whom the token belongs. */
  userOf(token: string): UserPrincipal | undefined;
  /** A user of another member. That member vouches for the identity. */
  remoteUser(from: Author, user: { name: string; uid: string }): UserPrincipal;
  /** Decides whether the user has REQUEST on one of this node's apps. */
  mayRequest(user: UserPrincipal, app: ApiObject): { allowed: true } | { allowed: false; reason: string };
  /** As `mayRequest`, for another member's user who opens a tunnel. The decision is written to the audit log. */
  admit(user: UserPrincipal, app: ApiObject): { allowed: true } | { allowed: false; reason: string };
  /** Calls the listener whenever a decision may have changed or a token has ended. Returns a function that unsubscribes. */
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
  /** The most client connections and member tunnels at once, if less than the HTTP proxy and the tunnel server take by themselves. */
  most?: { connections: number; tunnels: number };
  /** The member whose objects are kept under a namespace; undefined for this node's own and for unknown ones. */
  authorOf(namespace: string): Author | undefined;
  /** Everything that this daemon listens on (API, mesh ports, ingress). An app must never lead there. */
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

/** What a forward reports to its user, one JSON line each. */
export type ForwardEvent = { listening: string } | { connections: number } | { error: string; code: string };

export interface Apps {
  /** Registers the mesh protocols, loads the apps, and opens the ingress. Errors: PORT_IN_USE. */
  start(): Promise<void>;
  /** To be called once the mesh knows its domains. Until then no app is reported as having none. */
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
  /**
   * The status of this node's apps, and whether anything answers behind each: connects to their endpoints and disconnects at once. At most
   * 200 apps.
   */
  tryOwn(signal: AbortSignal): Promise<{ name: string; status: string; message: string | undefined; answers: boolean | undefined }[]>;
  counters(): Record<string, number>;
  figures(): AppFigures;
}

/** Numbers for metrics. */
export interface AppFigures {
  /** Answers of the HTTP proxy by the first digit of their status. */
  answers: readonly number[];
  /** Members' tunnels to apps of this node, and the bytes received from and sent to members. */
  served: { received: number; sent: number; open: number; accepted: number; refused: number };
  /** Tunnels of this node to apps of members. */
  opened: { received: number; sent: number; streams: number; lanes: number; lanesOpened: number; lanesFailed: number };
}
