/** What dispatch needs of the rest of the daemon; daemon.ts wires it. */
import type { Duplex } from 'node:stream';
import type { CodeRef } from '../../../protocol/definitions/code.ts';
import type { ModuleArchive, ModuleManifest } from '../../../protocol/definitions/module.ts';
import type { SigningContext } from '../../../protocol/keys/signing.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Principal, UserPrincipal } from '../../../protocol/rights/principal.ts';

/** A member of one of this node's domains, under the name by which this node knows its objects. */
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

/** The mesh, as dispatch uses it. Tests can use one that lives in memory. */
export interface Members {
  list(): Member[];
  byKey(domain: string, key: string): Member | undefined;
  byNode(node: string): Member | undefined;
  /** Errors: PEER_AWAY, TIMEOUT (when the signal aborts). */
  open(to: { domain: string; key: string }, protocol: string, signal: AbortSignal): Promise<Duplex>;
  handle(protocol: string, serve: (stream: Duplex, from: Member) => void): void;
  onChange(listener: () => void): () => void;
  /** Signs with this node's key in a domain. */
  sign(domain: string, context: SigningContext, bytes: Uint8Array): Uint8Array;
  /** Opens what was sealed (protocol/keys/sealing.ts) to this node's key in a domain; undefined if it was sealed to another key. */
  unseal(domain: string, sealed: Uint8Array): Promise<Uint8Array | undefined>;
  /** When this node last found its disk behind what it had published, in milliseconds since the epoch; undefined if never. */
  restoredAt(): number | undefined;
}

/** A Node object, and the member that it belongs to. */
export interface NodeView {
  /** Its name here: that of Member.node, or this node's own. */
  node: string;
  self: boolean;
  object: ApiObject;
  signingKey: string | undefined;
  member: Member | undefined;
}

export interface Nodes {
  list(): Promise<NodeView[]>;
}

/** A resource whose commands the asker may run. */
export interface ResourceMatch {
  /** The node that owns it. */
  node: string;
  object: string;
  model: string;
  type: string;
  name: string;
}

/** Models of this node and of others (as far as the asker's capabilities go), and what is installed here. */
export interface Models {
  /** Resources that match, this node's own first; at most `limit`. `unanswered` names nodes that did not answer. */
  find(
    principal: Principal,
    by: { node?: string; model?: string; type?: string; name?: string },
    limit: number,
  ): Promise<{ items: ResourceMatch[]; unanswered: string[] }>;
  /** The signed bundle of a resource (CBOR of SignedBundle) from its owner, or the one installed here if the owner does not answer. */
  bundle(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array>;
}

/** Modules that this node has. */
export interface Modules {
  /** The archive and manifest with this digest; undefined if the module is not here or not intact. */
  get(digest: string): Promise<{ manifest: ModuleManifest; archive: ModuleArchive; ref: CodeRef } | undefined>;
  /** Verifies a fetched module against the signed statement and keeps it. Errors: CONTENT_ALTERED, SIGNATURE_INVALID. */
  keep(signed: { statement: Uint8Array; signature: Uint8Array }, archive: Uint8Array): Promise<CodeRef>;
  /** A read-only directory with the module's files, created on first use. */
  directory(digest: string): Promise<string>;
}

/** Bytes by digest: modules, files of `cp`. Fetches from several members at once where that is faster, resumes, and verifies. */
export interface Content {
  /**
   * The path of a file with these bytes, which are fetched if they are not here. Asks `from` first, then other members. Errors:
   * CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT.
   */
  fetch(digest: string, options: { size?: number; from?: { domain: string; key: string }; signal: AbortSignal }): Promise<string>;
  /**
   * Stores a stream, counted against `user` if given. Resolves with its digest and size once it is durable. Errors: TOO_LARGE, DISK_FULL.
   */
  take(source: AsyncIterable<Uint8Array>, options: { limit: number; user?: string }): Promise<{ digest: string; size: number }>;
  path(digest: string): Promise<string | undefined>;
  /** Allows every member, or only `readers` (by their keys in their domains), to fetch it until a time in milliseconds since the epoch. */
  allow(digest: string, readers: 'members' | readonly { domain: string; key: string }[], until: number): Promise<void>;
}

/** `lineage`: for a resource of another node's model, its type and the types that it extends, in lower case. */
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
  /** Encrypts bytes under this node's key, bound to what they are about. */
  seal(about: string, bytes: Uint8Array): Promise<Uint8Array>;
  /** Errors: INTERNAL if the key is gone or has changed, or if the bytes were sealed about something else. */
  unseal(about: string, sealed: Uint8Array): Promise<Buffer>;
}
