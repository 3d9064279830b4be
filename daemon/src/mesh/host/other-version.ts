/** Recognises a peer of another version: it was reached, and does not serve a protocol that this node needs. */
import { UnsupportedProtocolError } from '@libp2p/interface';
import { DtkdError } from '../../../../protocol/errors.ts';

/** Advice in that case. */
export const UPGRADE_OLDER = 'Compare "dtkd version" on both nodes, and upgrade the older one.';

/** True if a stream failed because the peer does not serve the protocol now. The peer may also be about to stop. */
export function isUnserved(error: unknown): boolean {
  return error instanceof DtkdError && error.cause instanceof UnsupportedProtocolError;
}

/** The error for a peer that never serves the protocol. */
export function otherVersion(protocol: string, cause: unknown): DtkdError {
  return new DtkdError('VERSION_TOO_OLD', `it runs another version of dtkd, without ${protocol}`, {
    cause,
    next: UPGRADE_OLDER,
  });
}
