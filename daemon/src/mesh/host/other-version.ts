/** How a peer shows that runs another version: it was reached, and does not know a protocol that this one needs. */
import { UnsupportedProtocolError } from '@libp2p/interface';
import { DtkdError } from '../../../../protocol/errors.ts';

/** What to do then. */
export const UPGRADE_OLDER = 'Compare "dtkd version" on both nodes, and upgrade the older one.';

/** True if a stream could not be opened because the peer does not serve the protocol now. It may also be about to stop. */
export function isUnserved(error: unknown): boolean {
  return error instanceof DtkdError && error.cause instanceof UnsupportedProtocolError;
}

/** What is told of a peer that never serves the protocol. */
export function otherVersion(protocol: string, cause: unknown): DtkdError {
  return new DtkdError('VERSION_TOO_OLD', `it runs another version of dtkd, without ${protocol}`, {
    cause,
    next: UPGRADE_OLDER,
  });
}
