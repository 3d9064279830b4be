/** What access needs of the rest of the daemon, and the shape of what it offers to the API. daemon.ts wires both. */
import type { DomainId, PeerKey } from '../../../protocol/ids.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';

/** A domain as far as rights go by it. */
export interface AccessDomain {
  id: DomainId;
  name: string;
  /** This node's key in the domain. */
  self: PeerKey;
  peers: readonly { key: PeerKey; displayName: string; claimedName?: string; self: boolean; suspended: boolean }[];
}

/** The part of the mesh that tells who is who. `Mesh` satisfies it as it stands. */
export interface AccessMesh {
  domains(): readonly AccessDomain[];
  memberNamed(namespace: string): { domain: DomainId; peer: PeerKey } | undefined;
  onChange(listener: () => void): () => void;
}

/** Of a write: who, whether it is only tried, and a way to tell them something. */
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
  /** Of a subresource: the right on its object that it needs. */
  verb?: CapabilityVerb;
  /** Of a daemon-wide action: also for users, of other nodes too. */
  open?: 'anybody';
}
