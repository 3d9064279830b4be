/**
 * Replaces the certificate of a running server in time, without closing open connections. Goes by the machine's clock, which may
 * jump: a certificate that was made while the clock was behind is made again once the clock is right.
 */
import type { Server } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from '../../logging/logger.types.ts';
import type { Certificates } from './certificates.types.ts';

/** Milliseconds between two checks; each reads four small files. */
const LOOK_MS = 60_000;

export interface RenewalOptions {
  /** Returns the next certificate; undefined while the present one is good. */
  renew: () => Promise<Certificates | undefined>;
  /** The server's other TLS settings. */
  tls: SecureContextOptions;
  logger: Logger;
  lookMs?: number;
}

/** Checks regularly until the server closes. */
export function keepRenewed(server: Server, { renew, tls, logger, lookMs = LOOK_MS }: RenewalOptions): void {
  let failed = false;
  const look = async (): Promise<void> => {
    try {
      const next = await renew();
      failed = false;
      if (next === undefined) return;
      server.setSecureContext({ ...tls, cert: next.cert, key: next.key });
      logger.info({}, 'The certificate of the API was renewed');
    } catch (err) {
      if (!failed) logger.warn({ err }, 'The certificate of the API could not be renewed yet');
      failed = true;
    }
  };
  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  server.once('close', () => clearInterval(timer));
}
