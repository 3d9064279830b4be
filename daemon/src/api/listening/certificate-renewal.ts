/**
 * Gives a server that runs its next certificate in time. Connections that are open go on. By the clock of the machine, which may jump: what was made
 * while it was behind is made again once it is right.
 */
import type { Server } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from '../../logging/logger.types.ts';
import type { Certificates } from './certificates.types.ts';

/** Between two looks; each reads four small files. Milliseconds. */
const LOOK_MS = 60_000;

export interface RenewalOptions {
  /** The next certificate; undefined while the present one is good. */
  renew: () => Promise<Certificates | undefined>;
  /** What else the server's TLS was set up with. */
  tls: SecureContextOptions;
  logger: Logger;
  lookMs?: number;
}

/** Looks until the server closes. */
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
