/** Lists and watches over nodes as the API uses them; `catalog/federation` has them, and `daemon.ts` holds the two against each other. */
import type { NodeStatement } from '../../../protocol/completeness.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../protocol/objects.ts';
import type { UserPrincipal } from '../../../protocol/principal.ts';

/** An object as JSON. */
export type Json = string | Uint8Array;

export interface FederatedSelection {
  user: UserPrincipal;
  kind: Kind;
  /** One node's rows only; absent: all nodes. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  where?: string;
  /** How long each peer may take. Milliseconds. */
  timeoutMs: number;
  signal: AbortSignal;
}

export interface FederatedListRequest extends FederatedSelection {
  /** 0: all. */
  limit: number;
  continue?: string;
  /** Adds what a peer that does not answer had answered last. */
  stale: boolean;
}

export interface ListEnd {
  resourceVersion: string;
  continue?: string;
  completeness: NodeStatement[];
}

export interface FederatedList {
  resourceVersion: string;
  batches: AsyncIterable<readonly Json[]>;
  /** To be read after the last batch; before it, what is known so far. */
  end(): ListEnd;
}

export interface FederatedWatchRequest extends FederatedSelection {
  resourceVersion?: string;
  bookmarks: boolean;
}

export type FederatedEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: ApiObject } | { type: 'BOOKMARK'; resourceVersion: string };

export interface Federation {
  /** True if `namespace` is another node's. */
  isPeer(namespace: string): boolean;
  /** Statements about all peers (or the one) for somebody on whose behalf none may be asked. */
  unasked(namespace: string | undefined, reason: string): NodeStatement[];
  /** Throws BAD_REQUEST for selectors that cannot be read. */
  check(kind: Kind, selectors: { labelSelector?: string; fieldSelector?: string; where?: string }): void;
  list(request: FederatedListRequest): Promise<FederatedList>;
  watch(request: FederatedWatchRequest): Promise<AsyncIterable<FederatedEvent>>;
}
