/** What finding resources needs of the rest of the daemon. daemon.ts wires it. */
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal, UserPrincipal } from '../../../../protocol/rights/principal.ts';

/** Which resources: each field that is there narrows. Types are compared without regard to case; a bare one is also meant for those of service instances. */
export interface ResourceQuery {
  /** The node that owns it. */
  node?: string;
  model?: string;
  type?: string;
  name?: string;
}

/** A resource of which somebody may run commands. */
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
   * Rows that an expression is true of, own ones too; `answered` names nodes all of whose rows are there, `unanswered` those whose rows are
   * missing.
   */
  list(user: UserPrincipal, by: { node?: string; where: string; limit: number }): Promise<OtherRows>;
  /** A subresource of an object of another node. Errors: PEER_AWAY, TIMEOUT, NOT_FOUND, and what that node says. */
  get(user: UserPrincipal, node: string, path: string): Promise<unknown>;
}

/** What is installed on this node, whoever owns it. */
export interface InstalledBundles {
  find(principal: Principal, by: ResourceQuery, limit: number): Promise<FoundResource[]>;
  bundle(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array | undefined>;
}
