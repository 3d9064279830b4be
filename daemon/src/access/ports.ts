/** What access needs from the rest of the daemon, and the shape of what it offers to the API. The daemon's wiring connects both. */
import type { DomainId, PeerKey } from '../../../protocol/ids.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';

/** A domain, as far as rights depend on it. */
export interface AccessDomain {
  id: DomainId;
  name: string;
  /** This node's key in the domain. */
  self: PeerKey;
  peers: readonly { key: PeerKey; displayName: string; claimedName?: string; self: boolean; suspended: boolean }[];
}

/** The part of the mesh that says who is who. `Mesh` implements it. */
export interface AccessMesh {
  domains(): readonly AccessDomain[];
  memberNamed(namespace: string): { domain: DomainId; peer: PeerKey } | undefined;
  onChange(listener: () => void): () => void;
}

/** A write: who makes it, whether it is a dry run, and a way to send the client warnings. */
export interface HandlerContext {
  principal: Principal;
  dryRun: boolean;
  warn(text: string): void;
}

export interface Handler {
  create?(object: ApiObject, context: HandlerContext): Promise<ApiObject>;
  update?(object: ApiObject, previous: ApiObject, context: HandlerContext): Promise<ApiObject>;
  delete?(object: ApiObject, context: HandlerContext): Promise<undefined | { handled: ApiObject }>;
}

/** A request to a subresource or a daemon-wide action. */
export interface AccessActionRequest {
  principal: Principal;
  name: string;
  rest: readonly string[];
  query: URLSearchParams;
  method: 'GET' | 'POST' | 'DELETE';
  body: unknown;
}

export interface AccessAction {
  (request: AccessActionRequest): Promise<unknown>;
  /** The verb that a subresource requires on its object. */
  verb?: CapabilityVerb;
  /** Set for daemon-wide actions that are open to all users, including those of other nodes. */
  open?: 'anybody';
}
