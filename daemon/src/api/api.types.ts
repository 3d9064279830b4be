import type { ApiObject } from '../../../protocol/objects.ts';
import type { LocalStore } from '../store/local-store.types.ts';
import type { ApiExtensions, Principal } from './handlers.types.ts';

/** What the API wants of a logger. */
export interface ApiLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says who bears a token; undefined for a token that is nobody's. */
export interface Authenticator {
  authenticate(bearerToken: string): Promise<Principal | undefined> | Principal | undefined;
}

/** One thing that somebody asks to do, in terms of the API. */
export interface AccessRequest {
  verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection' | 'action';
  group: string;
  /** Plural of the kind; for daemon-wide actions `daemon`. */
  resource: string;
  subresource?: string;
  /** Empty for cluster-scoped kinds and for all namespaces. */
  namespace: string;
  /** Empty where the request is about a collection. */
  name: string;
  /** The object before the request, where there is one. */
  object?: ApiObject;
}

export type Decision = { allowed: true } | { allowed: false; reason: string };

/** The pure function that decides every request; `access/decide.ts` has it. */
export type Decide = (principal: Principal, request: AccessRequest) => Decision;

export interface ApiOptions {
  store: LocalStore;
  /** This node: its name is the namespace of its objects. */
  node: { name: string };
  extensions: ApiExtensions;
  tokens: Authenticator;
  decide: Decide;
  logger: ApiLogger;
  /** Of the program, shown at /version. */
  version: string;
  /** Empty when ready; else what is still missing. Default: always ready. */
  notReady?: () => readonly string[];
  /** Host names and addresses, besides the loopback ones and the node's, under which clients may reach the API. */
  hosts?: readonly string[];
  /** Watches and streams open at once at most. */
  maxStreams?: number;
}

export interface ApiServerOptions extends ApiOptions {
  listen: { host: string; port: number };
  certificate: { cert: string; key: string };
}

export interface ApiServer {
  /** `https://HOST:PORT` with the real port. */
  readonly url: string;
  readonly port: number;
  /** Ends watches and streams, lets running requests finish for a moment, then closes. */
  close(): Promise<void>;
}

export interface Certificates {
  /** PEM of the local certificate authority: clients trust it. */
  ca: string;
  cert: string;
  key: string;
}
