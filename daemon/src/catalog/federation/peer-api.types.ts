import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';

/** A member of any of this node's domains. */
export interface PeerNode {
  domain: DomainId;
  key: PeerKey;
  /** The namespace under which its objects show here: unique, and the order in which peers are listed. */
  namespace: string;
  /** The name that it has in its certificate, under which it need not show. */
  claimedName?: string;
  /** False if it was tried and could not be reached, or is not to be asked; a member that is merely not connected may be asked. */
  reachable: boolean;
  /** True while its word does not count, since its log forked: it is not asked, be it there or not. */
  suspended: boolean;
}

export interface PeerRequest {
  /** On whose behalf; only this node's own users can be vouched for. */
  user: UserPrincipal;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query at that peer's API; the namespace `default` is the peer itself. */
  path: string;
  accept: string;
  contentType?: string;
  body?: Uint8Array;
  /** Until the head of the answer has come, and then for every 4 KiB of its body that are waited for. Milliseconds. */
  timeoutMs: number;
  /** For watches: no limit between parts. */
  endless?: boolean;
  signal: AbortSignal;
}

export interface PeerResponse {
  status: number;
  contentType: string;
  warnings: readonly string[];
  /** As it comes; throws PEER_AWAY or TIMEOUT if it breaks off. Not reading it on, and `return()`, let the stream go. */
  body: AsyncIterable<Uint8Array>;
}

/** Asks other members' APIs as one of this node's users. */
export interface PeerApi {
  peers(): readonly PeerNode[];
  peerNamed(namespace: string): PeerNode | undefined;
  /** Throws PEER_AWAY or TIMEOUT if no head came in time. A refusal by the peer is a response, not an error. */
  request(peer: PeerNode, request: PeerRequest): Promise<PeerResponse>;
  /** Called when peers come, go or become reachable. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
}
