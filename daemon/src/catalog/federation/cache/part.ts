import type { DomainId, PeerKey } from '../../../../../protocol/ids.ts';

/** What is kept of one peer. */
export interface Part {
  peer: PeerKey;
  domain: DomainId;
  namespace: string;
  /** The peer's version after which its changes still have to be taken in; absent: all its rows have to be compared. */
  position?: string;
  /** When it stopped answering (RFC 3339); absent while it answers. */
  since?: string;
  rows: number;
  bytes: number;
}
