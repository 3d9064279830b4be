import type { DomainId, PeerKey } from '../../../../../protocol/ids.ts';

/** What is kept of one peer. */
export interface Part {
  peer: PeerKey;
  domain: DomainId;
  namespace: string;
  /** The peer's version from which its changes still have to be taken in; absent: all its rows have to be compared. */
  position?: string;
  /** RFC 3339: it has not answered since. */
  since?: string;
  rows: number;
  bytes: number;
}
