/** What modules need of the rest of the daemon, and what they offer to it. daemon.ts wires both. */
import type { CodeRef } from '../../../../protocol/code.ts';
import type { ModuleArchive, ModuleManifest } from '../../../../protocol/module.ts';
import type { LockFile } from '../../../../protocol/service-file.ts';

export interface ModulesLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What a publisher signed, with its signature. */
export interface SignedStatement {
  statement: Uint8Array;
  signature: Uint8Array;
}

/** Bytes by digest, as modules use them. */
export interface ModuleContent {
  /** The path of a file that has them, if they are here. */
  path(digest: string): Promise<string | undefined>;
  /** Takes a stream in; resolves once it is durable. */
  take(source: AsyncIterable<Uint8Array>, options: { limit: number }): Promise<{ digest: string; size: number }>;
  /** Who may fetch them, until then (milliseconds since the epoch). What is allowed is kept. */
  allow(digest: string, readers: 'members', until: number): Promise<void>;
}

/** A module that this node has. */
export interface LoadedModule {
  manifest: ModuleManifest;
  archive: ModuleArchive;
  /** Of one of its publishers: this node, if it is one. */
  ref: CodeRef;
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
   * here; what is released counts if what is here does not do. Errors: NO_MATCH, CONFLICT, AMBIGUOUS, INVALID, CONTENT_MISSING, CONTENT_ALTERED.
   */
  resolve(root: { name: string; version?: string }, lock?: LockFile): Promise<ResolvedModules>;
}
