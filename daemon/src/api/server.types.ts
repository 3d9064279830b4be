import type { ApiOptions } from './api.types.ts';
import type { Certificates } from './listening/certificates.types.ts';
import type { ApiFigures } from './reception/request-counts.ts';
import type { OwnCall, RemoteCall } from './request/call.types.ts';

export interface ApiServerOptions extends ApiOptions {
  /** Connections over TLS at once at most. */
  maxConnections?: number;
  listen: { host: string; port: number };
  certificate: { cert: string; key: string };
  /** Asked now and then for the next certificate; undefined while the present one is good. Default: it is never renewed. */
  renewCertificate?: () => Promise<Certificates | undefined>;
  /** A socket in the data directory, for commands on this machine; `gid`: the operator group. Default: none. */
  socket?: { path: string; gid: number | undefined };
}

export interface ApiServer {
  /** Answers a request that did not come over HTTP: what a member asks for one of its users, or what this daemon does for somebody. */
  answer(request: Request, from: { remote: RemoteCall } | { own: OwnCall }): Promise<Response>;
  /** Requests so far, and what is open now. */
  figures(): ApiFigures;
  /** `https://HOST:PORT` with the real port. */
  readonly url: string;
  readonly port: number;
  /** Path of the socket in the data directory, if there is one. */
  readonly socket: string | undefined;
  /** Ends watches and streams, lets running requests finish for a moment, then closes. */
  close(): Promise<void>;
}
