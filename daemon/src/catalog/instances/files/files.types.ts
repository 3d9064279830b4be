/** Types for reading, checking, comparing and editing what instances' repositories contain. */
import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import type { PropertyType } from '../../../../../protocol/definitions/property-types.ts';
import type { ServiceEdit } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { LoadedModule, ModuleResolving } from '../../modules/ports.ts';
import type { Difference, ServiceFiles, Violation } from '../instances.types.ts';
import type { Author, PathChange, Tree } from '../repository/repository.types.ts';

/** The files of an instance in one state, and what is wrong with them on their own. */
export interface ReadFiles {
  /** Undefined: `dtk.service.yaml` or `dtk.lock.yaml` cannot be read, and violations say why. Unsound copies are left out. */
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
  /** Edits since HEAD. Empty: none. */
  changes: readonly PathChange[];
}

/** A file that differs. `text` is a line diff, if both sides are short texts. */
export interface FileDifference extends PathChange {
  text?: string | undefined;
}

/** Differences of a module copy from the version of the base that it was made from. */
export interface CopyDifference {
  module: string;
  version: string;
  /** The version that the copy is compared with. Undefined: it is no longer available, and no files are compared. */
  base: string | undefined;
  /** The newest version on this node, if it is another one. */
  newest: string | undefined;
  files: readonly FileDifference[];
}

/** The result of pulling or pushing a copy. Without files there was nothing to do. */
export interface CopyOutcome {
  module: string;
  version: string;
  files: readonly FileDifference[];
  /** Absent: the instance was not changed, or this was a dry run. */
  commit?: string | undefined;
}

export interface FileContent {
  content: string;
  /** SHA-256 of its bytes. */
  base: string;
  /** Types of everything that can be set, by path (`web.port`, `parameters.tier`). Undefined: the files cannot be read. */
  types: Readonly<Record<string, PropertyType>> | undefined;
}

/** Modules of the node, which instances' copies are compared with, pulled from and pushed to. */
export interface ModuleBases extends ModuleResolving {
  /** By archive digest. Undefined if it is not here or damaged. */
  get(digest: string): Promise<LoadedModule | undefined>;
  /** Versions of a module on this node, newest first. */
  versions(module: string): Promise<{ version: string; digest: string }[]>;
  /**
   * Installs an archive as a version of its module. Its types become the node's only if those of an earlier version are. Errors:
   * CONFLICT if that version is here with other content, FORBIDDEN, INVALID.
   */
  install(principal: Principal, archive: Uint8Array): Promise<CodeRef & { version: string }>;
}

/** Reads and edits the files of instances. Each edit is made completely or not at all, and committed only where noted. */
export interface InstanceFiles {
  /** The work tree. Fast if nothing has changed since the last call. Errors: NOT_FOUND. */
  working(instance: string): Promise<WorkFiles>;
  /** A commit. Errors: NOT_FOUND, BAD_REQUEST, AMBIGUOUS. */
  at(instance: string, revision: string): Promise<CommittedFiles>;

  /**
   * The text of `dtk.service.yaml`. `masked`: values where names of Secrets belong are blanked, for reading only and not to be
   * written back. Errors: NOT_FOUND, TOO_LARGE; INVALID if a text to be masked cannot be parsed.
   */
  content(instance: string, options?: { masked?: boolean }): Promise<FileContent>;
  /**
   * Replaces the text. Errors: INVALID, with all faults, if the new text cannot be read; CONFLICT if the present one does not
   * match `base`.
   */
  replace(instance: string, content: string, base: string): Promise<{ base: string; differences: Difference[] }>;
  /**
   * Applies all edits or none. Errors: INVALID, NOT_FOUND (no such component), CONFLICT (`base`, or a component that others
   * name), ALREADY_EXISTS.
   */
  edit(instance: string, edits: readonly ServiceEdit[], base?: string): Promise<{ base: string; differences: Difference[] }>;

  /**
   * Differences between two states, by kind and by file. Without `to`: the work tree. States that cannot be read are compared by
   * file only.
   */
  diff(instance: string, from: string, to?: string): Promise<{ differences: Difference[]; files: FileDifference[] }>;
  /** Differences of one copy or all from their bases. Errors: NOT_FOUND. */
  diffModules(instance: string, module?: string): Promise<CopyDifference[]>;
  /**
   * Merges another version of the base into a copy and commits. Earlier edits get a commit of their own. Files changed on both
   * sides are a CONFLICT and nothing is written, unless `force` takes the base's. Modules that the version needs and the instance
   * lacks are added. Errors: NOT_FOUND, NO_MATCH, CONFLICT, INVALID, FORBIDDEN.
   */
  pullModule(request: CopyRequest & { force?: boolean | undefined }): Promise<CopyOutcome>;
  /**
   * Installs the instance's copy as a version of the base: `version`, or the next patch. Errors: NOT_FOUND, CONFLICT, INVALID,
   * FORBIDDEN.
   */
  pushModule(request: CopyRequest): Promise<CopyOutcome>;
}

export interface CopyRequest {
  instance: string;
  module: string;
  /** For pulls the default is the newest version on this node. */
  version?: string | undefined;
  principal: Principal;
  author: Author;
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
}
