/** Types of the libp2p internals that dtkd uses: libp2p hands them to services and does not export the types. */
import type {
  ComponentLogger,
  Connection,
  ConnectionGater,
  Libp2pEvents,
  PeerId,
  PeerStore,
  PrivateKey,
  StreamHandler,
  StreamHandlerOptions,
  TypedEventTarget,
  Upgrader,
} from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';

export interface Registrar {
  getProtocols(): string[];
  handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>;
  unhandle(protocols: string | string[], options?: unknown): Promise<void>;
}

export interface TransportManager {
  dial(address: Multiaddr, options: { signal: AbortSignal; onProgress?: (event: { type: string }) => void }): Promise<Connection>;
  listen(addresses: Multiaddr[]): Promise<void>;
}

export interface Components {
  peerId: PeerId;
  privateKey: PrivateKey;
  registrar: Registrar;
  transportManager: TransportManager;
  peerStore: PeerStore;
  upgrader: Upgrader;
  events: TypedEventTarget<Libp2pEvents>;
  logger: ComponentLogger;
  connectionGater: ConnectionGater;
}
