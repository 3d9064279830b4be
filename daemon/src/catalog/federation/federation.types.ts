/** The types that federation shares between its parts and with its users. */
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { NodeStatement } from '../../../../protocol/objects/completeness.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Kv } from '../../store/kv.ts';
import type { ListQuery, WatchEvent, WatchQuery } from '../../store/object-store.types.ts';
import type { PeerApi } from './peer-api.types.ts';

/** An object as JSON: the stored bytes for an own object, text for one from elsewhere. */
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
  /** Throws GONE, at once or while being read, if it cannot go on from the given version. */
  watch(user: UserPrincipal, query: WatchQuery): AsyncIterable<WatchEvent>;
  /** The version of the last durable change. */
  version(): number;
}

/** Whether a peer whose rows are kept is still a member; `unknown` while this cannot be determined. */
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
  /** Milliseconds before a broken remote watch is retried: at first; at most, for a reachable peer; at most, for one that is away. */
  retryMs: number;
  maxRetryMs: number;
  maxAwayRetryMs: number;
  /** Milliseconds before a peer that refuses is asked again, unless its rights are reported as changed earlier. */
  deniedRetryMs: number;
  /** Milliseconds for which remote watches go on after their last follower has left. */
  lingerMs: number;
  /** Milliseconds between bookmarks. */
  bookmarkMs: number;
}

/** Selects rows, with selectors as the client wrote them. */
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
  /** Milliseconds that each peer has to answer. */
  timeoutMs: number;
  signal: AbortSignal;
}

export interface FederatedListRequest extends FederatedSelection {
  /** 0: no limit. */
  limit: number;
  continue?: string;
  /** Adds the last known rows of peers that do not answer. */
  stale: boolean;
}

export interface ListEnd {
  /**
   * The version from which a watch goes on: that of the beginning, or a later one, so that the watch does not repeat what the list showed.
   */
  resourceVersion: string;
  continue?: string;
  completeness: NodeStatement[];
}

/** A list while it is put together: rows in the order of namespace and name. */
export interface FederatedList {
  /** The version from which a watch can go on; the same on all pages. */
  resourceVersion: string;
  /** Reading drives the list; `return()` releases everything that it holds. */
  batches: AsyncIterable<readonly Json[]>;
  /** Valid after the last batch. */
  end(): ListEnd;
}

export interface FederatedWatchRequest extends FederatedSelection {
  /** Absent or "0": begin with the present state. */
  resourceVersion?: string;
  bookmarks: boolean;
}

export type FederatedEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: ApiObject } | { type: 'BOOKMARK'; resourceVersion: string };

/** Lists and watches over this node and all others in its domains, for this node's own users. */
export interface FederatedReads {
  /** True if `namespace` is another node's. */
  isPeer(namespace: string): boolean;
  /** The last version given to a list or watch. */
  version(): number;
  /** Statements for a user on whose behalf no peer may be asked: about all peers, or the one in `namespace`. */
  unasked(namespace: string | undefined, reason: string): NodeStatement[];
  /** Throws BAD_REQUEST for invalid selectors. */
  check(kind: Kind, selectors: Selectors): void;
  /** Throws BAD_REQUEST for invalid selectors or an invalid continue token. */
  list(request: FederatedListRequest): Promise<FederatedList>;
  /** Throws BAD_REQUEST at once; throws GONE at once or while being read. Ends when the signal aborts. */
  watch(request: FederatedWatchRequest): Promise<AsyncIterable<FederatedEvent>>;
}

/** Federation as the daemon uses it: the daemon also reports what federation cannot notice by itself. */
export interface Federation extends FederatedReads {
  /** The rights that a node (undefined: any) grants may have changed: peers that refused are asked again. */
  rightsChanged(namespace: string | undefined): void;
  /** Counts how often lists reported each state of each present peer. */
  statements(): readonly { node: string; state: NodeStatement['state']; count: number }[];
  /** Deletes what other nodes answered to a user that no longer exists. */
  forgetUser(user: Pick<UserPrincipal, 'home' | 'name' | 'uid'>): Promise<void>;
  close(): Promise<void>;
}
