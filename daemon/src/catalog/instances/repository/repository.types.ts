/**
 * Repositories of service instances: DATA/instances/NAME, ordinary git repositories whose work trees are what people edit. One daemon writes in them, with one
 * lock per instance; people use git and editors beside it, which is noticed.
 */
import type { Violation } from '../instances.types.ts';

/** Who made a commit, as git writes it. */
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
  /** Id of its content as git has it: SHA-1, 40 hexadecimal digits. */
  oid: string;
}

/** All files of a commit, or of a work tree as it was when it was looked at. */
export interface Tree {
  /** As git has it: trees are equal if and only if their ids are. */
  readonly id: string;
  /** By path, in the order of paths. */
  readonly files: ReadonlyMap<string, TreeFile>;
  /** What is there and can be no part of it: links, devices, names that no module may have, too much. A tree with any is not committed. */
  readonly faults: readonly Violation[];
  /** Errors: NOT_FOUND; CONFLICT if the file was changed after the tree was looked at; TOO_LARGE. */
  read(path: string): Promise<Uint8Array>;
}

export interface PathChange {
  path: string;
  op: 'added' | 'changed' | 'removed';
}

export interface WorkStatus {
  head: string;
  /** What stands in the work tree. */
  tree: Tree;
  /** Of the work tree against HEAD; empty: nothing was edited. In the order of paths. */
  changes: readonly PathChange[];
}

export interface CommitRequest {
  message: string;
  author: Author;
  /** What HEAD and the work tree have to be, or CONFLICT: what somebody looked at is what is committed. */
  expect?: { head?: string | undefined; tree?: string | undefined } | undefined;
}

export interface RestoreRequest extends CommitRequest {
  /** What was edited since HEAD is lost. Without it that is refused with CONFLICT. */
  discard?: boolean | undefined;
}

/** A file to be put into a work tree, or taken out of it. */
export interface FileWrite {
  path: string;
  /** Undefined: it goes. */
  data: Uint8Array | undefined;
  executable?: boolean | undefined;
  /** SHA-256 of what it has to be now, or CONFLICT; null: it must not be there yet. Absent: whatever it is. */
  base?: string | null | undefined;
}

/** One instance's repository. All methods take turns; those that write never leave it unusable, whenever the process dies. */
export interface Repository {
  readonly name: string;
  readonly directory: string;
  /** The last commit of `main`. Errors: CONFLICT if HEAD is another branch. */
  head(): Promise<string>;
  /** The last commit that was converged wholly. */
  applied(): Promise<string | undefined>;
  setApplied(commit: string | undefined): Promise<void>;
  /** A commit as git takes it: hash or its beginning, HEAD, HEAD~2, `applied`, a branch, a tag. Errors: BAD_REQUEST, NOT_FOUND, AMBIGUOUS. */
  resolve(revision: string): Promise<string>;
  /** Newest first. Errors: as `resolve`. */
  log(options?: { from?: string | undefined; limit?: number | undefined }): Promise<Commit[]>;
  /** Files of a commit. Errors: as `resolve`. */
  tree(revision: string): Promise<Tree>;
  /** The work tree against HEAD. Reads only what was changed since it was last looked at. */
  status(): Promise<WorkStatus>;
  /** Commits the whole work tree. Nothing to commit: HEAD, and `changed` is false. Errors: CONFLICT, INVALID (faults), DISK_FULL. */
  commit(request: CommitRequest): Promise<{ commit: string; changed: boolean }>;
  /**
   * Makes a commit with the files of an earlier one, and the work tree be it. Begun and broken off, it is ended when the repository is next used.
   * Errors: as `resolve`, CONFLICT.
   */
  restore(revision: string, request: RestoreRequest): Promise<{ commit: string; changed: boolean }>;
  /**
   * Commits changes of files, and makes the work tree be so: all of them, whenever the process dies. The work tree has to be as HEAD is, or CONFLICT.
   * Errors: CONFLICT, INVALID, DISK_FULL.
   */
  commitFiles(files: readonly FileWrite[], request: CommitRequest): Promise<{ commit: string; changed: boolean }>;
  /** Writes files in the work tree, one after the other: all bases are right, or nothing is written. Links are not followed. Errors: CONFLICT, INVALID, DISK_FULL. */
  write(files: readonly FileWrite[]): Promise<void>;
  /** Does several of these things with nobody of this daemon between them. */
  alone<T>(work: (repository: Repository) => Promise<T>): Promise<T>;
}

export interface NewFile {
  path: string;
  data: Uint8Array;
  executable?: boolean | undefined;
}

/** All repositories of this node. */
export interface Repositories {
  /** Where the repository of an instance is, or would be. */
  directory(name: string): string;
  /** Names of those that are there. */
  names(): Promise<string[]>;
  /** Makes a repository with a first commit: whole or not at all. Errors: ALREADY_EXISTS, INVALID, DISK_FULL. */
  create(
    name: string,
    files: readonly NewFile[],
    commit: { message: string; author: Author },
  ): Promise<{ commit: string; directory: string }>;
  /** Errors: NOT_FOUND. What a process that died has left is put in order first. */
  open(name: string): Promise<Repository>;
  /** Moves it to `.uninstalled/NAME-TIME`, with its history; gives the path. Errors: NOT_FOUND. */
  archive(name: string): Promise<string>;
  /** Removes one that nobody has used yet: a staging that came to nothing. */
  drop(name: string): Promise<void>;
  /** Removes what was begun and not finished, and ends what was broken off, with the locks that a git would wait for. */
  tidy(): Promise<void>;
}
