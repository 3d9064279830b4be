import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';

/** A member of any of this node's domains. */
export interface PeerNode {
  domain: DomainId;
  key: PeerKey;
  /** The namespace under which its objects appear here. Unique; peers are listed in its order. */
  namespace: string;
  /** The name in its certificate, which may differ from its namespace here. */
  claimedName?: string;
  /** False if an attempt to reach it failed, or if it must not be asked. A member that is merely not connected may be asked. */
  reachable: boolean;
  /** True while the member is suspended because its log forked: it is not asked, whether reachable or not. */
  suspended: boolean;
}

export interface PeerRequest {
  /** On whose behalf; a node vouches only for its own users. */
  user: UserPrincipal;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query at that peer's API, where the namespace `default` is the peer itself. */
  path: string;
  accept: string;
  contentType?: string;
  body?: Uint8Array;
  /** Milliseconds until the head of the answer must be there, and then for every 4 KiB of its body that the reader waits for. */
  timeoutMs: number;
  /** For watches: no time limit between parts. */
  endless?: boolean;
  signal: AbortSignal;
}

export interface PeerResponse {
  status: number;
  contentType: string;
  warnings: readonly string[];
  /** Chunks as they arrive; throws PEER_AWAY or TIMEOUT if the stream breaks off. `return()` releases the stream, and so does not reading on. */
  body: AsyncIterable<Uint8Array>;
}

/** Asks other members' APIs as one of this node's users. */
export interface PeerApi {
  peers(): readonly PeerNode[];
  peerNamed(namespace: string): PeerNode | undefined;
  /** Throws PEER_AWAY or TIMEOUT if no head arrives in time. A refusal by the peer is a response, not an error. */
  request(peer: PeerNode, request: PeerRequest): Promise<PeerResponse>;
  /** Called when peers come, go or become reachable. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
}
