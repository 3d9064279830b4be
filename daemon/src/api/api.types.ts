import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import type { Access, Audit } from '../access/access.types.ts';
import type { FederatedReads } from '../catalog/federation/federation.types.ts';
import type { PeerApi } from '../catalog/federation/peer-api.types.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { LocalStore } from '../store/local-store.types.ts';
import type { ApiExtensions } from './handlers.types.ts';

/** Files by digest, as the API passes them to clients. */
export interface ApiContent {
  /**
   * Resolves once the file is durable. `user`: whose share of the space it counts against. Errors: TOO_LARGE, DISK_FULL; whatever
   * the source throws.
   */
  take(source: AsyncIterable<Uint8Array>, options: { limit: number; user?: string }): Promise<{ digest: string; size: number }>;
  /**
   * Finds a file, fetching it from `node` if it is not here; `size` is given if the caller knows it. Undefined if it is not here
   * and no node was named. Errors: CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT.
   */
  find(digest: string, options: { node?: string; size?: number; signal: AbortSignal }): Promise<{ path: string; size: number } | undefined>;
}

/** Makes bundle files, and imports them. */
export interface ApiParcels {
  /** Faults of the request are thrown before the first byte. */
  export(principal: Principal, request: unknown, signal: AbortSignal): Promise<{ bytes: AsyncIterable<Uint8Array> }>;
  import(principal: Principal, source: AsyncIterable<Uint8Array>, how: { dryRun: boolean; signal: AbortSignal }): Promise<unknown>;
}

/** One condition for the daemon to be ready. */
export interface HealthCheck {
  /** A single word, shown to everybody. */
  name: string;
  /** Why the condition does not hold; undefined if it does. Never rejects, and answers soon. */
  failing(): Promise<string | undefined>;
}

/** The daemon's metrics, in one of the two formats that Prometheus reads. */
export interface ApiMetrics {
  scrape(form: 'text' | 'openmetrics'): Promise<{ contentType: string; body: string }>;
}

/** Backups of this node. */
export interface ApiBackups {
  /** If no backup can be made, this is thrown before the first byte. */
  make(signal: AbortSignal): Promise<{ bytes: AsyncIterable<Uint8Array> }>;
}

export interface ApiOptions {
  store: LocalStore;
  /** This node; its name is the namespace of its objects. */
  node: { name: string };
  extensions: ApiExtensions;
  /** Identifies who bears a token, and decides every request. */
  access: Access;
  /** Records changes, and requests of other members' users. Default: nothing is recorded. */
  audit?: Audit;
  /** The APIs of other members, for requests about their objects. Default: there are none. */
  peers?: PeerApi;
  /** Lists and watches over this node and others. Default: of this node only. */
  federation?: FederatedReads;
  /** Files that clients upload and download. Default: there are none. */
  content?: ApiContent;
  /** Bundle files. Default: there are none. */
  parcels?: ApiParcels;
  /** Default: there are none. */
  backups?: ApiBackups;
  /** True if an object here that `counts` accepts names this uid among its owners. Default: none does. */
  hasDependents?: (uid: string, counts: (ref: ObjectRef, object: ApiObject) => boolean) => Promise<boolean>;
  logger: Logger;
  /** Version of the program, shown at /version. */
  version: string;
  /** Conditions for the daemon to be ready. Default: none. */
  checks?: readonly HealthCheck[];
  /** The daemon's metrics. Default: there are none. */
  metrics?: ApiMetrics;
  /** Host names and addresses, besides the loopback ones and the node's name, under which clients may reach the API. */
  hosts?: readonly string[];
  /** Maximum number of open watches and streams. */
  maxStreams?: number;
}
