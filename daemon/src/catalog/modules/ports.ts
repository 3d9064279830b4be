/** What modules need from the rest of the daemon, and what they offer to it. The daemon's wiring connects both. */
import type { CodeRef } from '../../../../protocol/definitions/code.ts';
import type { ModuleArchive, ModuleManifest } from '../../../../protocol/definitions/module.ts';
import type { LockFile } from '../../../../protocol/definitions/service-file.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';

/** A publisher's statement with its signature. */
export interface SignedStatement {
  statement: Uint8Array;
  signature: Uint8Array;
}

/** The content store, as modules use it. */
export interface ModuleContent {
  /** The path of a file with this content, if it is here. */
  path(digest: string): Promise<string | undefined>;
  /** Its number of bytes, if it is here. Asking does not keep the content. */
  size(digest: string): number | undefined;
  /** Stores a stream; resolves once it is durable. */
  take(source: AsyncIterable<Uint8Array>, options: { limit: number }): Promise<{ digest: string; size: number }>;
  /** Lets these readers fetch the content, and keeps it, until then (milliseconds since the epoch). */
  allow(digest: string, readers: 'members', until: number): Promise<void>;
}

/** How far a fetch has come, and which members serve it. */
export interface ContentProgress {
  done: number;
  size: number;
  members: readonly string[];
}

/** Content that several members have, with the hash of each piece. */
export interface PiecesToFetch {
  digest: string;
  size: number;
  pieceBytes: number;
  /** SHA-256 of each piece. */
  pieces: readonly Uint8Array[];
  /** The members to ask first. */
  prefer: readonly { domain: string; key: string }[];
  signal: AbortSignal;
  onProgress?: ((progress: ContentProgress) => void) | undefined;
  /** Called when a member served something else; it is not asked for this content again. */
  onAltered?: ((member: { node: string; domain: string; key: string }) => void) | undefined;
}

/** Fetches from several members at once. */
export interface PieceFetcher {
  /**
   * The path of the whole file. Resumes an earlier fetch. Errors: CONTENT_MISSING, CONTENT_ALTERED, DISK_FULL; TIMEOUT when the signal
   * aborts.
   */
  fetchPieces(wanted: PiecesToFetch): Promise<string>;
}

/** Records Events. EventRecorder implements it. */
export interface ModuleEvents {
  record(event: { about: ApiObject; type: 'Normal' | 'Warning'; reason: string; message: string }): void;
}

/** A node whose statements about code count, with what is needed to verify them. */
export interface KnownNode {
  /** Its name here. */
  node: string;
  self: boolean;
  signingKey: string | undefined;
  member: { domain: string; key: string } | undefined;
}

export interface KnownNodes {
  list(): Promise<KnownNode[]>;
}

/** A module on this node. */
export interface LoadedModule {
  manifest: ModuleManifest;
  archive: ModuleArchive;
  /** As one of its publishers signed it: this node, if it is one. */
  ref: CodeRef;
}

/** A module copy of a service instance, to be published by this node. */
export interface CopyToPublish {
  instance: string;
  /** A number of the instance that only grows: the version is at least 0.0.REVISION, and later than all earlier ones. */
  revision: number;
  archive: Uint8Array;
  /** The bare name of its module. */
  module: string;
  /** Publishes nothing, and returns what publishing would. */
  dryRun?: boolean | undefined;
}

/** Publishes module copies of service instances as code of this node. */
export interface CopyPublishing {
  /**
   * Signs a copy as `acme/web@INSTANCE` in a new version, or returns the version that it has if it is the newest already. Members may fetch
   * it until it is released. Errors: INVALID, DISK_FULL.
   */
  publishCopy(copy: CopyToPublish): Promise<CodeRef & { version: string }>;
  /** Signs a copy that is already published as `acme/web@INSTANCE.REVISION` (`leftCode`), the name in `code`. */
  publishLeft(code: CodeRef & { version: string }): Promise<void>;
  /** Releases all copies of an instance except those with these digests. Orders that wait may still fetch them for a while. */
  releaseCopies(instance: string, keep: Iterable<string>): Promise<void>;
}

/** Modules on this node, whether installed or fetched to be run. */
export interface ModuleLibrary {
  /** A module by its digest, if it is here and intact. */
  get(digest: string): Promise<LoadedModule | undefined>;
  /**
   * Stores a fetched module. The archive must match the statement, and be sound in itself. Errors: FRAME_INVALID, SIGNATURE_INVALID,
   * CONTENT_ALTERED, INVALID.
   */
  keep(signed: SignedStatement, archive: Uint8Array): Promise<CodeRef>;
  /** A directory with its files, read-only, created on first use. Errors: CONTENT_MISSING, CONTENT_ALTERED. */
  directory(digest: string): Promise<string>;
}

/** A module with all that it needs, all of it on this node. */
export interface ResolvedModules {
  root: LoadedModule;
  /** One version of each module, by name, including the root. */
  modules: ReadonlyMap<string, LoadedModule>;
  /** The same as a lock. */
  lock: LockFile;
}

export interface ModuleResolving {
  /**
   * Chooses versions for a module and all that it needs, and fetches those that are only released. Without a range, the root is the active
   * version or else the newest one; with a range, the newest one in it. A dependency has the version in the lock (default: the one in the
   * root's archive), or else the newest one here. Released versions count only if those here do not suffice. Modules are fetched with the
   * rights of `as`; without it nothing is fetched. Errors: NO_MATCH, CONFLICT, AMBIGUOUS, INVALID, CONTENT_MISSING, CONTENT_ALTERED,
   * FORBIDDEN.
   */
  resolve(
    root: { name: string; version?: string | undefined },
    lock?: LockFile,
    as?: { principal: Principal; signal?: AbortSignal | undefined },
  ): Promise<ResolvedModules>;
}

/** The versions of modules on this node, for comparing with them and adding new ones. */
export interface ModuleVersions {
  /** All versions, newest first. */
  versions(module: string): Promise<{ version: string; digest: string }[]>;
  /**
   * Installs an archive as a version of its module; its types become the node's only if an earlier version's are. Errors: CONFLICT if that
   * version is here with other content, FORBIDDEN, INVALID, TOO_LARGE.
   */
  install(principal: Principal, archive: Uint8Array): Promise<CodeRef & { version: string }>;
}
