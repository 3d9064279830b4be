import type { ApiOptions } from './api.types.ts';
import type { Certificates } from './listening/certificates.types.ts';
import type { ApiFigures } from './reception/request-counts.ts';
import type { OwnCall, RemoteCall } from './request/call.types.ts';

export interface ApiServerOptions extends ApiOptions {
  /** Maximum number of open TLS connections, if less than the server takes by itself. */
  maxConnections?: number;
  listen: { host: string; port: number };
  certificate: { cert: string; key: string };
  /** Called regularly for the next certificate; undefined while the present one is good. Default: the certificate is never renewed. */
  renewCertificate?: () => Promise<Certificates | undefined>;
  /** A socket in the data directory for commands on this machine. `gid`: the operator group. Default: none. */
  socket?: { path: string; gid: number | undefined };
}

export interface ApiServer {
  /**
   * Answers a request that did not come over HTTP: one that a member makes for one of its users, or one that this daemon makes on
   * somebody's behalf.
   */
  answer(request: Request, from: { remote: RemoteCall } | { own: OwnCall }): Promise<Response>;
  /** Requests so far, and streams that are open now. */
  figures(): ApiFigures;
  /** `https://HOST:PORT` with the real port. */
  readonly url: string;
  readonly port: number;
  /** Path of the socket in the data directory, if there is one. */
  readonly socket: string | undefined;
  /** Ends watches and streams, lets running requests finish for a moment, then closes. */
  close(): Promise<void>;
}
