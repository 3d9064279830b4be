/** What federation is made of, as its parts and those who use it see it. */
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { NodeStatement } from '../../../../protocol/objects/completeness.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Kv } from '../../store/kv.ts';
import type { ListQuery, WatchEvent, WatchQuery } from '../../store/object-store.types.ts';
import type { PeerApi } from './peer-api.types.ts';

/** An object as JSON: bytes where it is our own and stored so, text where it came from elsewhere. */
export type Json = string | Uint8Array;

export interface LocalPage {
  /** JSON of each object, in name order. */
  items: Uint8Array[];
  resourceVersion: string;
  continue?: string;
}

/** This node's own rows, as one of its users sees them. */
export interface LocalRows {
  page(user: UserPrincipal, query: ListQuery): Promise<LocalPage>;
  /** GONE, thrown at once or while it is read, where it cannot go on from the given version. */
  watch(user: UserPrincipal, query: WatchQuery): AsyncIterable<WatchEvent>;
  /** The version of the last durable change. */
  version(): number;
}

/** Whether a peer whose rows are kept is still a member; `unknown` while that cannot be told. */
export type Standing = 'member' | 'gone' | 'unknown';

export interface FederationOptions {
  /** This node's name: the namespace of its own rows. */
  node: string;
  kv: Kv;
  peers: PeerApi;
  local: LocalRows;
  standing: (domain: DomainId, key: PeerKey) => Standing;
  logger: Logger;
  now?: () => number;
  tunables?: Partial<Tunables>;
}

export interface Tunables {
  /** Milliseconds until a remote watch that broke is tried again: at first, and at most for a peer that is there, and for one that is away. */
  retryMs: number;
  maxRetryMs: number;
  maxAwayRetryMs: number;
  /** Milliseconds until a peer that refuses is asked again, unless something says earlier that its rights have changed. */
  deniedRetryMs: number;
  /** Milliseconds for which remote watches go on after the last one who followed them. */
  lingerMs: number;
  /** Milliseconds between bookmarks. */
  bookmarkMs: number;
}

/** Which rows: selectors as the client wrote them. */
export interface Selectors {
  labelSelector?: string;
  fieldSelector?: string;
  where?: string;
}

/** What lists and watches have in common. */
export interface FederatedSelection extends Selectors {
  user: UserPrincipal;
  kind: Kind;
  /** One node's rows only; absent: all nodes. */
  namespace?: string;
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
  /** From which a watch goes on: as at the beginning, or a later one that spares it what the list showed. */
  resourceVersion: string;
  continue?: string;
  completeness: NodeStatement[];
}

/** A list as it is put together: rows in the order of namespace and name. */
export interface FederatedList {
  /** From which a watch may go on, and all pages bear it. */
  resourceVersion: string;
  /** Reading it on is what makes it go on; `return()` lets everything go. */
  batches: AsyncIterable<readonly Json[]>;
  /** To be read after the last batch. */
  end(): ListEnd;
}

export interface FederatedWatchRequest extends FederatedSelection {
  /** Absent or "0": the present state first. */
  resourceVersion?: string;
  bookmarks: boolean;
}

export type FederatedEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: ApiObject } | { type: 'BOOKMARK'; resourceVersion: string };

/** Lists and watches over this node and all others in its domains, for this node's own users. */
export interface FederatedReads {
  /** True if `namespace` is another node's. */
  isPeer(namespace: string): boolean;
  /** The last version that was given for lists and watches. */
  version(): number;
  /** Statements about all peers (or the one) for somebody on whose behalf none may be asked. */
  unasked(namespace: string | undefined, reason: string): NodeStatement[];
  /** Throws BAD_REQUEST for selectors that cannot be read. */
  check(kind: Kind, selectors: Selectors): void;
  /** Throws BAD_REQUEST for selectors or a continue token that cannot be read. */
  list(request: FederatedListRequest): Promise<FederatedList>;
  /** Throws BAD_REQUEST at once, GONE at once or while it is read. Ends when the signal aborts. */
  watch(request: FederatedWatchRequest): Promise<AsyncIterable<FederatedEvent>>;
}

/** As the daemon has it: also told of what it cannot see by itself. */
export interface Federation extends FederatedReads {
  /** What a node (undefined: any) grants may have changed: peers that refused are asked again. */
  rightsChanged(namespace: string | undefined): void;
  /** How often lists said of each present peer what became of it. */
  statements(): readonly { node: string; state: NodeStatement['state']; count: number }[];
  /** Forgets what others answered to a user that is no more. */
  forgetUser(user: Pick<UserPrincipal, 'home' | 'name' | 'uid'>): Promise<void>;
  close(): Promise<void>;
}
