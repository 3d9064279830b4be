/**
 * One instance's git repository, without serialization, which `repositories.ts` adds. Owns everything below its directory. HEAD
 * moves only after all objects that it refers to are on the disk. An interrupted move of the work tree is recorded in
 * `.git/dtkd-moving` and completed before anything else is done; edits made since it began are kept.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { commitId } from '../../../../../protocol/kinds/service-instance.ts';
import type { Violation } from '../instances.types.ts';
import { changesBetween } from './changes.ts';
import { readCommitTree } from './commit-tree.ts';
import { commitObject, type GitObject, indexOf, oidOf, treesOf } from './git-format.ts';
import { historyOf } from './history.ts';
import { MAX_LOG, MAX_TREE_FILES } from './limits.ts';
import { removeLeftLock, withLockFile } from './lock-file.ts';
import { GitObjects } from './objects.ts';
import { byPath } from './paths.ts';
import { APPLIED, MAIN, movedMeanwhile, moveRef, readHead, readRef } from './refs.ts';
import type { Commit, CommitRequest, FileWrite, Repository, RestoreRequest, Tree, TreeFile, WorkStatus } from './repository.types.ts';
import { resolveRevision } from './revisions.ts';
import { codeOf, eachOf, replaceFile, storageError, temporaryIn } from './storage.ts';
import { unfinishedIn } from './unfinished.ts';
import { type WorkTree, WorkTrees } from './work-tree.ts';
import { WorkTreeWriter } from './writing.ts';

/** Trees of commits that are cached. */
const KNOWN_TREES = 8;
const MOVING = 'dtkd-moving';
/** `discarded`: blob ids, by path, of files whose edits are to be discarded. */
const moving = z.object({ from: commitId, to: commitId, discarded: z.record(z.string(), z.string()).default({}) });
type Move = z.infer<typeof moving>;

type Outcome = { commit: string; changed: boolean };

export class GitRepository implements Repository {
  readonly name: string;
  readonly directory: string;
  readonly #gitdir: string;
  readonly #objects: GitObjects;
  readonly #workTrees: WorkTrees;
  readonly #writer: WorkTreeWriter;
  readonly #now: () => number;
  readonly #trees = new Map<string, Tree>();

  constructor(options: { name: string; directory: string; now: () => number }) {
    this.name = options.name;
    this.directory = options.directory;
    this.#gitdir = join(options.directory, '.git');
    this.#now = options.now;
    this.#objects = new GitObjects(this.#gitdir);
    this.#workTrees = new WorkTrees(options.directory);
    this.#writer = new WorkTreeWriter(options.directory, this.#gitdir);
  }

  head(): Promise<string> {
    return readHead(this.#gitdir);
  }

  applied(): Promise<string | undefined> {
    return readRef(this.#gitdir, APPLIED);
  }

  async setApplied(commit: string | undefined): Promise<void> {
    if (commit !== undefined) await this.tree(commit);
    await moveRef(this.#gitdir, APPLIED, commit);
  }

  resolve(revision: string): Promise<string> {
    return resolveRevision(this.#gitdir, this.#objects, revision);
  }

  async log({ from = 'HEAD', limit = 50 }: { from?: string | undefined; limit?: number | undefined } = {}): Promise<Commit[]> {
    return historyOf(this.#objects, await this.resolve(from), Math.min(Math.max(1, limit), MAX_LOG));
  }

  async tree(revision: string): Promise<Tree> {
    const commit = await this.resolve(revision);
    const known = this.#trees.get(commit) ?? (await readCommitTree(this.#objects, commit));
    this.#trees.delete(commit);
    this.#trees.set(commit, known);
    for (const oldest of this.#trees.keys()) if (this.#trees.size > KNOWN_TREES) this.#trees.delete(oldest);
    return known;
  }

  async status(): Promise<WorkStatus> {
    const { head, committed, tree } = await this.#look();
    return { head, tree, changes: tree.id === committed.id ? [] : changesBetween(committed, tree) };
  }

  async commit(request: CommitRequest): Promise<Outcome> {
    const before = await this.#look();
    assertExpected(request, before);
    if (before.tree.faults.length === 0 && before.tree.id === before.committed.id) return { commit: before.head, changed: false };
    return this.#alongsideGit(async () => {
      const { head, committed, tree } = await this.#look();
      assertExpected(request, { head, tree });
      if (tree.faults.length > 0) throw faulty(tree);
      if (tree.id === committed.id) return { commit: head, changed: false };
      const there = new Set([...committed.files.values()].map(({ oid }) => oid));
      for (const part of partsOf([...tree.files.values()].filter(({ oid }) => !there.has(oid)))) {
        const blobs: GitObject[] = [];
        await eachOf(part, async ({ path, oid }) => {
          blobs.push({ oid, type: 'blob', body: await tree.read(path) });
        });
        await this.#objects.write(blobs);
      }
      const commit = await this.#writeCommit(tree.files.values(), [head], request);
      await this.#writeIndex(tree);
      await moveRef(this.#gitdir, MAIN, commit, { is: head });
      return { commit, changed: true };
    });
  }

  async restore(revision: string, request: RestoreRequest): Promise<Outcome> {
    const target = await this.tree(revision);
    if (target.faults.length > 0) throw faulty(target);
    return this.#alongsideGit(async () => {
      const { head, committed, tree, unfinished } = await this.#look();
      assertExpected(request, { head, tree });
      if (unfinished.length > 0) throw faulty({ faults: unfinished });
      if (request.discard !== true && (tree.id !== committed.id || tree.faults.length > 0)) throw edited(tree, committed);
      const changed = target.id !== committed.id;
      if (!changed && tree.id === committed.id && tree.faults.length === 0) return { commit: head, changed };
      const commit = changed ? await this.#writeCommit(target.files.values(), [head], request) : head;
      const discarded = changesBetween(committed, tree).flatMap(({ path }) => {
        const oid = tree.files.get(path)?.oid;
        return oid === undefined ? [] : [[path, oid]];
      });
      await this.#moveTo({ from: head, to: commit, discarded: Object.fromEntries(discarded) }, head);
      return { commit, changed };
    });
  }

  async commitFiles(files: readonly FileWrite[], request: CommitRequest): Promise<Outcome> {
    for (const file of files) await this.#writer.assertWritable(file);
    return this.#alongsideGit(async () => {
      const { head, committed, tree, unfinished } = await this.#look();
      assertExpected(request, { head, tree });
      if (unfinished.length > 0) throw faulty({ faults: unfinished });
      if (tree.id !== committed.id || tree.faults.length > 0) throw edited(tree, committed);
      await this.#assertBases(files);
      const wanted = new Map(committed.files);
      const blobs: GitObject[] = [];
      for (const { path, data, executable } of files) {
        const before = wanted.get(path);
        wanted.delete(path);
        if (data === undefined) continue;
        const oid = oidOf('blob', data);
        blobs.push({ oid, type: 'blob', body: data });
        wanted.set(path, { path, oid, executable: executable ?? before?.executable ?? false });
      }
      assertApart(wanted.values());
      if (treesOf(wanted.values()).root === committed.id) return { commit: head, changed: false };
      await this.#objects.write(blobs);
      const commit = await this.#writeCommit(wanted.values(), [head], request);
      await this.#moveTo({ from: head, to: commit, discarded: {} }, head);
      return { commit, changed: true };
    });
  }

  async write(files: readonly FileWrite[]): Promise<void> {
    for (const file of files) await this.#writer.assertWritable(file);
    await this.#alongsideGit(async () => {
      await this.#assertBases(files);
      for (const { path, data, executable } of files) {
        if (data === undefined) await this.#writer.remove(path);
        else await this.#writer.put(path, data, executable);
      }
    });
  }

  alone<T>(work: (repository: Repository) => Promise<T>): Promise<T> {
    return work(this);
  }

  /** Completes what a process that died has begun, and removes its temporary and lock files. */
  async recover(): Promise<void> {
    for (const name of await readdir(this.#gitdir)) {
      if (/^dtkd-(file|ref|index)-/.test(name)) await rm(join(this.#gitdir, name), { force: true });
    }
    await this.#objects.tidy();
    for (const locked of ['index', MAIN, APPLIED]) await removeLeftLock(join(this.#gitdir, `${locked}.lock`));
    const move = await this.#unfinished();
    if (move === undefined) return;
    const head = await readHead(this.#gitdir);
    if (head === move.from || head === move.to) await this.#alongsideGit(() => this.#moveTo(move, head));
    else await rm(join(this.#gitdir, MOVING), { force: true });
  }

  async #unfinished(): Promise<Move | undefined> {
    try {
      return moving.parse(JSON.parse(await readFile(join(this.#gitdir, MOVING), 'utf8')));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      if (codeOf(error) !== undefined) throw error;
      // the file is incomplete, so the move had not begun
      await rm(join(this.#gitdir, MOVING), { force: true });
      return undefined;
    }
  }

  /** Reads HEAD and the work tree. Unfinished git operations are among the tree's faults. */
  async #look(): Promise<{ head: string; committed: Tree; tree: WorkTree; unfinished: readonly Violation[] }> {
    const head = await readHead(this.#gitdir);
    const committed = await this.tree(head);
    const tree = await this.#workTrees.look(committed.files);
    const unfinished = tree.id === committed.id ? [] : await unfinishedIn(this.#gitdir);
    return { head, committed, tree: { ...tree, faults: [...unfinished, ...tree.faults] }, unfinished };
  }

  /** Holds git's index lock, so that no git changes this work tree or accepts a push meanwhile. */
  async #alongsideGit<T>(work: () => Promise<T>): Promise<T> {
    return withLockFile(join(this.#gitdir, 'index.lock'), work).catch((error: unknown) => {
      throw storageError(error);
    });
  }

  async #assertBases(files: readonly FileWrite[]): Promise<void> {
    for (const { path, base } of files) {
      if (base === undefined) continue;
      const now = await this.#writer.digest(path);
      if ((base ?? undefined) === now) continue;
      throw new DtkdError('CONFLICT', `${path} was changed by somebody else meanwhile`, {
        next: 'Nothing was written. Look at the file as it is now, and edit that.',
        details: { path, base, now: now ?? null },
      });
    }
  }

  async #writeCommit(files: Iterable<TreeFile>, parents: readonly string[], { message, author }: CommitRequest): Promise<string> {
    const { root, trees } = treesOf(files);
    const commit = commitObject({ tree: root, parents, author, message, at: this.#now() });
    await this.#objects.write(trees);
    await this.#objects.write([commit]);
    return commit.oid;
  }

  /**
   * Brings the work tree to the files of a commit, except for files edited since the move began, and then moves `main` from
   * `head` to that commit.
   */
  async #moveTo(move: Move, head: string): Promise<void> {
    const [before, target] = [await this.tree(move.from), await this.tree(move.to)];
    await replaceFile({
      path: join(this.#gitdir, MOVING),
      data: JSON.stringify(move),
      temporary: temporaryIn(this.#gitdir, 'dtkd-file-'),
    });
    const now = await this.#workTrees.look(target.files);
    const isEdited = ({ path, oid }: TreeFile) => oid !== before.files.get(path)?.oid && oid !== own(move.discarded, path);
    for (const path of now.odd) await this.#writer.remove(path);
    for (const file of now.files.values()) if (!target.files.has(file.path) && !isEdited(file)) await this.#writer.remove(file.path);
    for (const { path, executable, oid } of target.files.values()) {
      const there = now.files.get(path);
      if (there === undefined || (there.oid !== oid && !isEdited(there))) {
        await this.#writer.put(path, await target.read(path), executable);
      } else if (there.oid === oid && there.executable !== executable) await this.#writer.setExecutable(path, executable);
    }
    await this.#writeIndex(await this.#workTrees.look(target.files));
    await moveRef(this.#gitdir, MAIN, move.to, { is: head });
    await rm(join(this.#gitdir, MOVING), { force: true });
  }

  async #writeIndex({ files, stats }: WorkTree): Promise<void> {
    const entries = [...files.values()].flatMap((file) => {
      const stat = stats.get(file.path);
      return stat === undefined ? [] : [{ ...file, stat }];
    });
    const temporary = temporaryIn(this.#gitdir, 'dtkd-index-');
    await replaceFile({ path: join(this.#gitdir, 'index'), data: indexOf(entries), temporary });
  }
}

function own(record: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function assertExpected({ expect }: CommitRequest, now: { head: string; tree: Tree }): void {
  if (expect?.head !== undefined && expect.head !== now.head) throw movedMeanwhile();
  if (expect?.tree !== undefined && expect.tree !== now.tree.id) {
    throw new DtkdError('CONFLICT', 'the files of the service were edited meanwhile', {
      next: 'Look at them with "dtkd service diff", and try again.',
    });
  }
}

function faulty({ faults }: Pick<Tree, 'faults'>): DtkdError {
  const shown = faults.slice(0, 3).map(({ where, message }) => `${where} ${message}`);
  return new DtkdError('INVALID', `the files cannot be committed: ${shown.join('; ')}${faults.length > 3 ? '; …' : ''}`, {
    next: faults[0]?.next ?? 'Move it out of the directory and try again.',
    details: { violations: faults },
  });
}

function edited(tree: Tree, committed: Tree): DtkdError {
  const paths = [...changesBetween(committed, tree).map(({ path }) => path), ...tree.faults.map(({ where }) => where)];
  const shown = paths.slice(0, 5).join(', ');
  return new DtkdError('CONFLICT', `the files of the service were edited and are not converged: ${shown}${paths.length > 5 ? ', …' : ''}`, {
    next: 'Converge the service first, or discard the edits.',
    details: { paths: paths.slice(0, 100) },
  });
}

/** Refuses paths that would be both a file and a directory, and too many files. */
function assertApart(files: Iterable<TreeFile>): void {
  const sorted = [...files].sort(byPath);
  const paths = new Set(sorted.map(({ path }) => path));
  if (sorted.length > MAX_TREE_FILES) throw new DtkdError('TOO_LARGE', `an instance has at most ${MAX_TREE_FILES} files`);
  for (const path of paths) {
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
      if (paths.has(path.slice(0, at))) throw new DtkdError('CONFLICT', `${path.slice(0, at)} would be a file and a directory at once`);
    }
  }
}

/** Splits a list, so that not all files of a large change are in memory at once. */
function* partsOf<T>(items: readonly T[]): Generator<readonly T[]> {
  const size = 64;
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
