/** What modules need of the rest of the daemon, and what they offer to it. daemon.ts wires both. */
import type { CodeRef } from '../../../../protocol/code.ts';
import type { ModuleArchive, ModuleManifest } from '../../../../protocol/module.ts';

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
