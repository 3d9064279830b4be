import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import type { Access, Audit } from '../access/access.types.ts';
import type { FederatedReads } from '../catalog/federation/federation.types.ts';
import type { PeerApi } from '../catalog/federation/peer-api.types.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { LocalStore } from '../store/local-store.types.ts';
import type { ApiExtensions } from './handlers.types.ts';

/** Files by their digest, as the API hands them to clients. */
export interface ApiContent {
  /** Resolves once it is durable. `user`: whose share it is of. Errors: TOO_LARGE, DISK_FULL; what the source throws. */
  take(source: AsyncIterable<Uint8Array>, options: { limit: number; user?: string }): Promise<{ digest: string; size: number }>;
  /** Fetched from `node` if it is not here; `size` if it is known there. Undefined: it is not here, and no node was named. Errors: CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT. */
  find(digest: string, options: { node?: string; size?: number; signal: AbortSignal }): Promise<{ path: string; size: number } | undefined>;
}

/** Bundle files: made, and taken in. */
export interface ApiParcels {
  /** What is wrong with the request is thrown before the first byte. */
  export(principal: Principal, request: unknown, signal: AbortSignal): Promise<{ bytes: AsyncIterable<Uint8Array> }>;
  import(principal: Principal, source: AsyncIterable<Uint8Array>, how: { dryRun: boolean; signal: AbortSignal }): Promise<unknown>;
}

/** One thing that has to hold. */
export interface HealthCheck {
  /** A word, told to everybody. */
  name: string;
  /** Why it does not hold; undefined if it does. Never rejects; soon. */
  failing(): Promise<string | undefined>;
}

/** The daemon's numbers, in one of the two forms that Prometheus reads. */
export interface ApiMetrics {
  scrape(form: 'text' | 'openmetrics'): Promise<{ contentType: string; body: string }>;
}

/** Backups of this node. */
export interface ApiBackups {
  /** What cannot be is thrown before the first byte. */
  make(signal: AbortSignal): Promise<{ bytes: AsyncIterable<Uint8Array> }>;
}

export interface ApiOptions {
  store: LocalStore;
  /** This node: its name is the namespace of its objects. */
  node: { name: string };
  extensions: ApiExtensions;
  /** Says who bears a token, and decides every request. */
  access: Access;
  /** Where changes, and what members asked, are written down. Default: nowhere. */
  audit?: Audit;
  /** Other members' APIs: where requests about their objects go. Default: there are none. */
  peers?: PeerApi;
  /** Lists and watches over this node and others. Default: of this node only. */
  federation?: FederatedReads;
  /** Files that clients hand over and get back. Default: there are none. */
  content?: ApiContent;
  /** Bundle files. Default: there are none. */
  parcels?: ApiParcels;
  /** Default: there are none. */
  backups?: ApiBackups;
  /** True if objects here that count name that uid among their owners. Default: nobody does. */
  hasDependents?: (uid: string, counts: (ref: ObjectRef, object: ApiObject) => boolean) => Promise<boolean>;
  logger: Logger;
  /** Of the program, shown at /version. */
  version: string;
  /** What has to hold for the daemon to be ready. Default: nothing. */
  checks?: readonly HealthCheck[];
  /** The daemon's numbers. Default: there are none. */
  metrics?: ApiMetrics;
  /** Host names and addresses, besides the loopback ones and the node's, under which clients may reach the API. */
  hosts?: readonly string[];
  /** Watches and streams open at once at most. */
  maxStreams?: number;
}
