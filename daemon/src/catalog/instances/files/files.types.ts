/** What stands in instances' repositories, read, judged, compared and edited. */
import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import type { PropertyType } from '../../../../../protocol/definitions/property-types.ts';
import type { ServiceEdit } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { LoadedModule, ModuleResolving } from '../../modules/ports.ts';
import type { Difference, ServiceFiles, Violation } from '../instances.types.ts';
import type { Author, PathChange, Tree } from '../repository/repository.types.ts';

/** The files of an instance at one time, and what is wrong with them for themselves. */
export interface ReadFiles {
  /** Undefined: `dtk.service.yaml` or `dtk.lock.yaml` cannot be read, and violations say why. Copies that are not sound are left out of it. */
  files: ServiceFiles | undefined;
  /** PARSING_ERROR, MODULE_INVALID, MISSING_MODULE, DUPLICATE_TYPE. */
  violations: readonly Violation[];
  tree: Tree;
}

export interface CommittedFiles extends ReadFiles {
  commit: string;
}

export interface WorkFiles extends ReadFiles {
  head: string;
  /** Edited since HEAD; empty: nothing. */
  changes: readonly PathChange[];
}

/** One file that differs; `text` shows how, line by line, where both are short texts. */
export interface FileDifference extends PathChange {
  text?: string | undefined;
}

/** How one module copy differs from the version of the base that it was made from. */
export interface CopyDifference {
  module: string;
  version: string;
  /** The version that it is compared with. Undefined: it is not on this node any more, and no files are compared. */
  base: string | undefined;
  /** The newest version on this node, if that is another one. */
  newest: string | undefined;
  files: readonly FileDifference[];
}

/** What was done with a copy. No files: nothing was to be done. */
export interface CopyOutcome {
  module: string;
  version: string;
  files: readonly FileDifference[];
  /** Absent: nothing was changed in the instance, or only would be. */
  commit?: string | undefined;
}

export interface FileContent {
  content: string;
  /** SHA-256 of its bytes. */
  base: string;
  /** What can be set, by its path (`web.port`, `parameters.tier`), with its type. Undefined: what stands there cannot be read. */
  types: Readonly<Record<string, PropertyType>> | undefined;
}

/** Modules of the node, as instances' copies are compared with them, taken from them and given to them. */
export interface ModuleBases extends ModuleResolving {
  /** By the digest of its archive, if it is here and whole. */
  get(digest: string): Promise<LoadedModule | undefined>;
  /** Versions of a module that are on this node, the newest first. */
  versions(module: string): Promise<{ version: string; digest: string }[]>;
  /**
   * Makes an archive a version of its module; its types become the node's only if those of an earlier version are. Errors: CONFLICT if that version is here with another
   * content, FORBIDDEN, INVALID.
   */
  install(principal: Principal, archive: Uint8Array): Promise<CodeRef & { version: string }>;
}

/** Files of instances as they are read and edited. Every edit is whole or not made, and committed only where it says so. */
export interface InstanceFiles {
  /** The work tree. Errors: NOT_FOUND. Fast where nothing was changed since it was last asked. */
  working(instance: string): Promise<WorkFiles>;
  /** A commit. Errors: NOT_FOUND, BAD_REQUEST, AMBIGUOUS. */
  at(instance: string, revision: string): Promise<CommittedFiles>;

  /**
   * `dtk.service.yaml` as it stands. `masked`: without what stands where names of Secrets belong, to be read and not to be written back. Errors: NOT_FOUND, TOO_LARGE;
   * INVALID for one to be masked that cannot be read.
   */
  content(instance: string, options?: { masked?: boolean }): Promise<FileContent>;
  /** Replaces it. Refused with INVALID and all faults if it could not be read then, with CONFLICT if it is not what `base` says. */
  replace(instance: string, content: string, base: string): Promise<{ base: string; differences: Difference[] }>;
  /** All edits or none. Errors: INVALID, NOT_FOUND (no such component), CONFLICT (`base`, or what is named by others), ALREADY_EXISTS. */
  edit(instance: string, edits: readonly ServiceEdit[], base?: string): Promise<{ base: string; differences: Difference[] }>;

  /** Two states by kind, and by file. `to` absent: the work tree. What cannot be read is compared by file only. */
  diff(instance: string, from: string, to?: string): Promise<{ differences: Difference[]; files: FileDifference[] }>;
  /** Copies against their bases, one or all. Errors: NOT_FOUND. */
  diffModules(instance: string, module?: string): Promise<CopyDifference[]>;
  /**
   * Takes another version of the base in, and commits: with what was edited before in a commit of its own. Files that were changed on both sides are
   * told with CONFLICT and nothing is written; `force` takes the base's. Modules that the version needs and that the instance has not come along.
   * Errors: NOT_FOUND, NO_MATCH, CONFLICT, INVALID, FORBIDDEN.
   */
  pullModule(request: CopyRequest & { force?: boolean | undefined }): Promise<CopyOutcome>;
  /** Makes a version of the base of what the instance has: the next patch, if none is given. Errors: NOT_FOUND, CONFLICT, INVALID, FORBIDDEN. */
  pushModule(request: CopyRequest): Promise<CopyOutcome>;
}

export interface CopyRequest {
  instance: string;
  module: string;
  /** To pull: default the newest that is here. */
  version?: string | undefined;
  principal: Principal;
  author: Author;
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
}
