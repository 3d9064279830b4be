/** What dispatch needs of the rest of the daemon; daemon.ts wires it. */
import type { Duplex } from 'node:stream';
import type { CodeRef } from '../../../protocol/definitions/code.ts';
import type { ModuleArchive, ModuleManifest } from '../../../protocol/definitions/module.ts';
import type { SigningContext } from '../../../protocol/keys/signing.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Principal, UserPrincipal } from '../../../protocol/rights/principal.ts';

/** A member of one of this node's domains, by the name that its objects bear here. */
export interface Member {
  /** Its namespace here. */
  node: string;
  domain: string;
  /** Its key in that domain, 64 hex digits. */
  key: string;
  /** This node's own key in that domain. */
  selfKey: string;
  reach: 'connected' | 'idle' | 'away';
}

/** The mesh, as dispatch uses it. An in-memory one is enough for tests. */
export interface Members {
  list(): Member[];
  byKey(domain: string, key: string): Member | undefined;
  byNode(node: string): Member | undefined;
  /** Errors: PEER_AWAY, TIMEOUT (by the signal). */
  open(to: { domain: string; key: string }, protocol: string, signal: AbortSignal): Promise<Duplex>;
  handle(protocol: string, serve: (stream: Duplex, from: Member) => void): void;
  onChange(listener: () => void): () => void;
  /** Signs with this node's key in a domain. */
  sign(domain: string, context: SigningContext, bytes: Uint8Array): Uint8Array;
  /** Opens what was sealed (protocol/keys/sealing.ts) to this node's key in a domain; undefined if it was not. */
  unseal(domain: string, sealed: Uint8Array): Promise<Uint8Array | undefined>;
  /** Milliseconds since the epoch at which this node last found that its disk was behind what it had published; undefined: never. */
  restoredAt(): number | undefined;
}

/** A Node object with what ties it to a member. */
export interface NodeView {
  /** Its name here: as Member.node, or this node's own. */
  node: string;
  self: boolean;
  object: ApiObject;
  signingKey: string | undefined;
  member: Member | undefined;
}

export interface Nodes {
  list(): Promise<NodeView[]>;
}

/** A resource that somebody may run a command of. */
export interface ResourceMatch {
  /** The node that owns it. */
  node: string;
  object: string;
  model: string;
  type: string;
  name: string;
}

/** Models of this node, of others (under the asker's capabilities), and what is installed here. */
export interface Models {
  /** Resources that match, own first; at most `limit`. `unanswered` names nodes that did not tell. */
  find(
    principal: Principal,
    by: { node?: string; model?: string; type?: string; name?: string },
    limit: number,
  ): Promise<{ items: ResourceMatch[]; unanswered: string[] }>;
  /** The signed bundle of a resource (CBOR of SignedBundle), from its owner, or as it is installed here if the owner does not answer. */
  bundle(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array>;
}

/** Modules that this node has. */
export interface Modules {
  /** The archive and manifest by digest, if it is here and whole. */
  get(digest: string): Promise<{ manifest: ModuleManifest; archive: ModuleArchive; ref: CodeRef } | undefined>;
  /** Takes what was fetched: verified against the signed statement; errors CONTENT_ALTERED, SIGNATURE_INVALID. */
  keep(signed: { statement: Uint8Array; signature: Uint8Array }, archive: Uint8Array): Promise<CodeRef>;
  /** A directory with the files of the module, read-only, made when it is first asked for. */
  directory(digest: string): Promise<string>;
}

/** Bytes by digest: modules, files of `cp`. Fetches from members, several at once where it pays, resumes, verifies. */
export interface Content {
  /** The path of a file that has it, fetched if it is not here. `from` is asked first, then other members. Errors: CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT. */
  fetch(digest: string, options: { size?: number; from?: { domain: string; key: string }; signal: AbortSignal }): Promise<string>;
  /** Takes a stream in, of `user` if it is to count as one's; resolves with its digest and size once it is durable. Errors: TOO_LARGE, DISK_FULL. */
  take(source: AsyncIterable<Uint8Array>, options: { limit: number; user?: string }): Promise<{ digest: string; size: number }>;
  path(digest: string): Promise<string | undefined>;
  /** Who may fetch it: every member, or those (keys in their domains); until then (milliseconds since the epoch). */
  allow(digest: string, readers: 'members' | readonly { domain: string; key: string }[], until: number): Promise<void>;
}

/** `lineage`: of a resource of another node's model, its type and those that it extends, in lower case. */
export type Decide = (
  principal: Principal,
  asked: { verb: CapabilityVerb; group: string; plural: string; name: string; object?: ApiObject; lineage?: readonly string[] },
) => { allowed: true; because: string } | { allowed: false; reason: string };

export interface DispatchAccess {
  decide: Decide;
  remoteUser(from: { peerKey: string; namespace: string }, user: { name: string; uid: string }): UserPrincipal;
}

export interface AuditPort {
  record(line: { who: string; home?: string; verb: string; what: string; outcome: 'allowed' | 'denied' | 'failed'; because: string }): void;
}

/** Values of Secrets of this node. */
export interface SecretValues {
  /** Undefined if there is none. */
  get(name: string): Promise<Buffer | undefined>;
  /** Closes bytes under this node's key, bound to what they are about. */
  seal(about: string, bytes: Uint8Array): Promise<Uint8Array>;
  /** Errors: INTERNAL if the key is gone or another one, or they are about something else. */
  unseal(about: string, sealed: Uint8Array): Promise<Buffer>;
}
