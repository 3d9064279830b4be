/** What finding resources needs from the rest of the daemon. The daemon's wiring connects it. */
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal, UserPrincipal } from '../../../../protocol/rights/principal.ts';

/**
 * Selects resources: each given field narrows the selection. Types are compared without regard to case; a bare one also matches those of
 * service instances.
 */
export interface ResourceQuery {
  /** The node that owns it. */
  node?: string;
  model?: string;
  type?: string;
  name?: string;
}

/** A resource whose commands somebody may run. */
export interface FoundResource {
  node: string;
  object: string;
  model: string;
  type: string;
  name: string;
}

export interface OtherRows {
  rows: ApiObject[];
  answered: string[];
  unanswered: string[];
}

/** Resources of other nodes, as a user of this node sees them. */
export interface OtherModels {
  /**
   * Rows for which an expression is true, including own ones. `answered` names the nodes whose rows are all there, `unanswered` those whose
   * rows are missing.
   */
  list(user: UserPrincipal, by: { node?: string; where: string; limit: number }): Promise<OtherRows>;
  /** A subresource of an object of another node. Errors: PEER_AWAY, TIMEOUT, NOT_FOUND, and those of that node. */
  get(user: UserPrincipal, node: string, path: string): Promise<unknown>;
}

/** Bundles installed on this node, whoever owns their resources. */
export interface InstalledBundles {
  find(principal: Principal, by: ResourceQuery, limit: number): Promise<FoundResource[]>;
  bundle(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array | undefined>;
}
