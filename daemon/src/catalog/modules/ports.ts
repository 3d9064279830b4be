/** What modules need of the rest of the daemon, and what they offer to it. daemon.ts wires both. */
import type { CodeRef } from '../../../../protocol/definitions/code.ts';
import type { ModuleArchive, ModuleManifest } from '../../../../protocol/definitions/module.ts';
import type { LockFile } from '../../../../protocol/definitions/service-file.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';

/** What a publisher signed, with its signature. */
export interface SignedStatement {
  statement: Uint8Array;
  signature: Uint8Array;
}

/** Bytes by digest, as modules use them. */
export interface ModuleContent {
  /** The path of a file that has them, if they are here. */
  path(digest: string): Promise<string | undefined>;
  /** Their number, if they are here. To ask for that does not keep them. */
  size(digest: string): number | undefined;
  /** Takes a stream in; resolves once it is durable. */
  take(source: AsyncIterable<Uint8Array>, options: { limit: number }): Promise<{ digest: string; size: number }>;
  /** Who may fetch them, until then (milliseconds since the epoch). What is allowed is kept. */
  allow(digest: string, readers: 'members', until: number): Promise<void>;
}

/** How far a fetch is, and who gives. */
export interface ContentProgress {
  done: number;
  size: number;
  members: readonly string[];
}

/** Bytes that several members have, with the hash of each piece. */
export interface PiecesToFetch {
  digest: string;
  size: number;
  pieceBytes: number;
  /** SHA-256 of each piece. */
  pieces: readonly Uint8Array[];
  /** Who is asked first. */
  prefer: readonly { domain: string; key: string }[];
  signal: AbortSignal;
  onProgress?: ((progress: ContentProgress) => void) | undefined;
  /** A member gave something else, and is not asked for this again. */
  onAltered?: ((member: { node: string; domain: string; key: string }) => void) | undefined;
}

/** Fetches from several members at once. */
export interface PieceFetcher {
  /** The path of the whole file. Goes on with what came before. Errors: CONTENT_MISSING, CONTENT_ALTERED, DISK_FULL, TIMEOUT by the signal. */
  fetchPieces(wanted: PiecesToFetch): Promise<string>;
}

/** What happened, for people. EventRecorder is one. */
export interface ModuleEvents {
  record(event: { about: ApiObject; type: 'Normal' | 'Warning'; reason: string; message: string }): void;
}

/** A node as far as its word about code counts. */
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

/** A module that this node has. */
export interface LoadedModule {
  manifest: ModuleManifest;
  archive: ModuleArchive;
  /** Of one of its publishers: this node, if it is one. */
  ref: CodeRef;
}

/** A module copy of a service instance that this node is to answer for. */
export interface CopyToPublish {
  instance: string;
  /** A number of the instance that only grows: the version is at least 0.0.REVISION, and later than any before. */
  revision: number;
  archive: Uint8Array;
  /** The bare name of its module. */
  module: string;
  /** Nothing is published: the answer is what it would be. */
  dryRun?: boolean | undefined;
}

/** Module copies of service instances as code of this node. */
export interface CopyPublishing {
  /**
   * Signs a copy as `acme/web@INSTANCE` in a new version, or gives the version that it has if it is the newest already; members may fetch it until it is
   * released. Errors: INVALID, DISK_FULL.
   */
  publishCopy(copy: CopyToPublish): Promise<CodeRef & { version: string }>;
  /** Signs a copy that is published already as `acme/web@INSTANCE.REVISION` (`leftCode`), which is what `code` names. */
  publishLeft(code: CodeRef & { version: string }): Promise<void>;
  /** Lets go of all copies of an instance but those with these digests. Orders that wait may still fetch them for a while. */
  releaseCopies(instance: string, keep: Iterable<string>): Promise<void>;
}

/** Modules that this node has, whether they are installed here or were fetched to be run. */
export interface ModuleLibrary {
  /** By digest, if it is here and whole. */
  get(digest: string): Promise<LoadedModule | undefined>;
  /**
   * Takes what was fetched: the archive has to be what the statement says, and sound in itself. Errors: FRAME_INVALID, SIGNATURE_INVALID,
   * CONTENT_ALTERED, INVALID.
   */
  keep(signed: SignedStatement, archive: Uint8Array): Promise<CodeRef>;
  /** A directory with its files, read-only, made when it is first asked for. Errors: CONTENT_MISSING, CONTENT_ALTERED. */
  directory(digest: string): Promise<string>;
}

/** What a module needs, as it is here. */
export interface ResolvedModules {
  root: LoadedModule;
  /** Of each module one version, the root among them, by name. */
  modules: ReadonlyMap<string, LoadedModule>;
  /** The same as it is written down. */
  lock: LockFile;
}

export interface ModuleResolving {
  /**
   * Chooses versions for a module and all that it needs, and fetches those that are only released. The root: the version whose types are the node's,
   * without a range; else the newest in the range. Of what it needs: as the lock says (default: the one in the root's archive), else the newest that is
   * here; what is released counts if what is here does not do. Modules are fetched with the rights of `as`; without it nothing is fetched.
   * Errors: NO_MATCH, CONFLICT, AMBIGUOUS, INVALID, CONTENT_MISSING, CONTENT_ALTERED, FORBIDDEN.
   */
  resolve(
    root: { name: string; version?: string | undefined },
    lock?: LockFile,
    as?: { principal: Principal; signal?: AbortSignal | undefined },
  ): Promise<ResolvedModules>;
}

/** Versions of modules that are on this node, for whoever compares with them or makes new ones. */
export interface ModuleVersions {
  /** The newest first. */
  versions(module: string): Promise<{ version: string; digest: string }[]>;
  /**
   * Makes an archive a version of its module; its types become the node's only if those of an earlier version are. Errors: CONFLICT if that version is here
   * with another content, FORBIDDEN, INVALID, TOO_LARGE.
   */
  install(principal: Principal, archive: Uint8Array): Promise<CodeRef & { version: string }>;
}
