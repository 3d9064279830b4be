/**
 * Repositories of service instances: DATA/instances/NAME, ordinary git repositories whose work trees people edit. One daemon
 * writes to them, one call at a time for each instance. People use git and editors at the same time, and their changes are
 * detected.
 */
import type { Violation } from '../instances.types.ts';

/** The author of a commit, as git records it. */
export interface Author {
  name: string;
  email: string;
}

export interface Commit {
  /** 40 hexadecimal digits. */
  id: string;
  message: string;
  author: Author;
  /** Milliseconds since the epoch. */
  at: number;
  parents: readonly string[];
}

export interface TreeFile {
  path: string;
  executable: boolean;
  /** Blob id: SHA-1, 40 hexadecimal digits. */
  oid: string;
}

/** All files of a commit, or of a work tree at the time it was read. */
export interface Tree {
  /** Git's tree id. Trees are equal if and only if their ids are. */
  readonly id: string;
  /** By path, sorted by bytes. */
  readonly files: ReadonlyMap<string, TreeFile>;
  /**
   * Things that cannot be part of a commit: links, devices, names that no module may have, too many or too large files. A tree
   * with faults is not committed.
   */
  readonly faults: readonly Violation[];
  /** Reads a file. Errors: NOT_FOUND; CONFLICT if the file has changed since the tree was read; TOO_LARGE. */
  read(path: string): Promise<Uint8Array>;
}

export interface PathChange {
  path: string;
  op: 'added' | 'changed' | 'removed';
}

export interface WorkStatus {
  head: string;
  /** The files of the work tree. */
  tree: Tree;
  /** Changes of the work tree since HEAD, sorted by path. Empty: nothing was edited. */
  changes: readonly PathChange[];
}

export interface CommitRequest {
  message: string;
  author: Author;
  /** The HEAD and tree that the caller has seen. CONFLICT if they differ now, so that only what was seen is committed. */
  expect?: { head?: string | undefined; tree?: string | undefined } | undefined;
}

export interface RestoreRequest extends CommitRequest {
  /** Discards edits since HEAD. Without it such edits are a CONFLICT. */
  discard?: boolean | undefined;
}

/** A file to write to a work tree, or to remove from it. */
export interface FileWrite {
  path: string;
  /** Undefined: the file is removed. */
  data: Uint8Array | undefined;
  executable?: boolean | undefined;
  /** SHA-256 that the file must have now, otherwise CONFLICT; null: it must not exist. Undefined: no check. */
  base?: string | null | undefined;
}

/** One instance's repository. Calls are serialized. Those that write never leave it unusable, whenever the process dies. */
export interface Repository {
  readonly name: string;
  readonly directory: string;
  /** The last commit of `main`. Errors: CONFLICT if another branch is checked out. */
  head(): Promise<string>;
  /** The last commit that was converged completely. */
  applied(): Promise<string | undefined>;
  setApplied(commit: string | undefined): Promise<void>;
  /**
   * Resolves a revision as git does: full or abbreviated hash, HEAD, HEAD~2, `applied`, a branch, a tag. Errors: BAD_REQUEST,
   * NOT_FOUND, AMBIGUOUS.
   */
  resolve(revision: string): Promise<string>;
  /** Commits, newest first. Errors: as `resolve`. */
  log(options?: { from?: string | undefined; limit?: number | undefined }): Promise<Commit[]>;
  /** The files of a commit. Errors: as `resolve`. */
  tree(revision: string): Promise<Tree>;
  /** Compares the work tree with HEAD. Reads only files that have changed since the last look. */
  status(): Promise<WorkStatus>;
  /**
   * Commits the whole work tree. Without changes it returns HEAD, and `changed` is false. Errors: CONFLICT, INVALID (faults),
   * DISK_FULL.
   */
  commit(request: CommitRequest): Promise<{ commit: string; changed: boolean }>;
  /**
   * Commits the files of an earlier commit, and brings the work tree to them. If interrupted, it is completed when the repository
   * is next used. Errors: as `resolve`, CONFLICT, INVALID (faults), DISK_FULL.
   */
  restore(revision: string, request: RestoreRequest): Promise<{ commit: string; changed: boolean }>;
  /**
   * Commits changes to files and applies them to the work tree, all of them even if the process dies midway. CONFLICT if the work
   * tree has edits. Errors: CONFLICT, INVALID, TOO_LARGE, DISK_FULL.
   */
  commitFiles(files: readonly FileWrite[], request: CommitRequest): Promise<{ commit: string; changed: boolean }>;
  /**
   * Writes files to the work tree, one after the other, unless the base of any is wrong; then none is written. Does not follow
   * links. Errors: CONFLICT, INVALID, TOO_LARGE, DISK_FULL.
   */
  write(files: readonly FileWrite[]): Promise<void>;
  /** Runs several calls with no other call of this daemon between them. */
  alone<T>(work: (repository: Repository) => Promise<T>): Promise<T>;
}

export interface NewFile {
  path: string;
  data: Uint8Array;
  executable?: boolean | undefined;
}

/** All repositories of this node. */
export interface Repositories {
  /** Path of an instance's repository, whether it exists or not. */
  directory(name: string): string;
  /** Names of the existing repositories, sorted. */
  names(): Promise<string[]>;
  /** Creates a repository with a first commit, completely or not at all. Errors: ALREADY_EXISTS, INVALID, DISK_FULL. */
  create(
    name: string,
    files: readonly NewFile[],
    commit: { message: string; author: Author },
  ): Promise<{ commit: string; directory: string }>;
  /** Opens a repository. Its first use completes what a process that died left unfinished. Errors: NOT_FOUND. */
  open(name: string): Promise<Repository>;
  /** Moves a repository with its history to `.uninstalled/NAME-TIME`, and returns that path. Errors: NOT_FOUND. */
  archive(name: string): Promise<string>;
  /** Removes a repository that nobody has used yet, after a staging that failed. */
  drop(name: string): Promise<void>;
  /** Removes incomplete repositories, completes interrupted work, and removes left locks that a git would wait for. */
  tidy(): Promise<void>;
}
