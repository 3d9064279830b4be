/**
 * Reads a work tree: which files it has, with git's ids of their contents. Files whose stat data has not changed since the last
 * look are not read again. Follows no link, opens no pipe, and reports why anything cannot be committed.
 */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Violation, ViolationKind } from '../instances.types.ts';
import { type FileStat, oidOf, treesOf } from './git-format.ts';
import { MAX_FAULTS, MAX_FILE_BYTES, MAX_TREE_BYTES, MAX_TREE_FILES, RACY_NS } from './limits.ts';
import { byPath, isLeftover, pathFault, shownPath } from './paths.ts';
import type { Tree, TreeFile } from './repository.types.ts';
import { codeOf, eachOf, openPlain } from './storage.ts';

export interface WorkTree extends Tree {
  readonly stats: ReadonlyMap<string, FileStat>;
  /** Paths of links and other things that are not plain files. */
  readonly odd: readonly string[];
}

interface Known {
  sign: string;
  oid: string;
}

interface Found {
  path: string;
  stat: FileStat;
}

export class WorkTrees {
  readonly #directory: string;
  #known = new Map<string, Known>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Reads the work tree. `tracked`: files of the last commit, which count even if they are named like leftovers. */
  async look(tracked: ReadonlyMap<string, unknown>): Promise<WorkTree> {
    const walk = new Walk(this.#directory, tracked);
    await walk.run();
    const faults = walk.faults;
    const files: TreeFile[] = [];
    const stats = new Map<string, FileStat>();
    const known = new Map<string, Known>();
    const now = BigInt(Date.now()) * 1_000_000n;
    await eachOf(walk.found, async ({ path, stat }) => {
      const before = this.#known.get(path);
      const same = before?.sign === signOf(stat) ? before : undefined;
      const read = same === undefined ? await this.#read(path).catch((error) => unreadable(error, path, faults)) : { oid: same.oid, stat };
      if (read === undefined) return;
      const newest = read.stat.mtimeNs > read.stat.ctimeNs ? read.stat.mtimeNs : read.stat.ctimeNs;
      if (now - newest > RACY_NS) known.set(path, { sign: signOf(read.stat), oid: read.oid });
      stats.set(path, read.stat);
      files.push({ path, executable: (read.stat.mode & 0o100n) !== 0n, oid: read.oid });
    });
    this.#known = known;
    const sorted = new Map(files.sort(byPath).map((file) => [file.path, file]));
    return {
      id: treesOf(sorted.values()).root,
      files: sorted,
      faults,
      stats,
      odd: walk.odd,
      read: async (path) => {
        const wanted = sorted.get(path);
        if (wanted === undefined) throw new DtkdError('NOT_FOUND', `there is no ${shownPath(path)} in the work tree`);
        const read = await this.#read(path);
        if (read?.oid !== wanted.oid) throw changedMeanwhile(path);
        return read.data;
      },
    };
  }

  /** Undefined: the file disappeared, or is no plain file any more. */
  async #read(path: string): Promise<{ oid: string; stat: FileStat; data: Uint8Array } | undefined> {
    try {
      const file = await openPlain(join(this.#directory, path));
      try {
        const stat = await file.stat({ bigint: true });
        if (!stat.isFile()) return undefined;
        if (stat.size > MAX_FILE_BYTES) throw changedMeanwhile(path);
        const data = await file.readFile();
        const after = await file.stat({ bigint: true });
        if (signOf(after) !== signOf(stat) || BigInt(data.length) !== after.size) throw changedMeanwhile(path);
        return { oid: oidOf('blob', data), stat: after, data };
      } finally {
        await file.close();
      }
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO') return undefined;
      throw error;
    }
  }
}

/** One pass over all directories. */
class Walk {
  readonly found: Found[] = [];
  readonly faults: Violation[] = [];
  readonly odd: string[] = [];
  readonly #directory: string;
  readonly #tracked: ReadonlyMap<string, unknown>;
  #entries = 0;
  #bytes = 0n;

  constructor(directory: string, tracked: ReadonlyMap<string, unknown>) {
    this.#directory = directory;
    this.#tracked = tracked;
  }

  async run(): Promise<void> {
    for (let level = ['']; level.length > 0; ) {
      const next: string[] = [];
      await eachOf(level, async (below) => {
        next.push(...(await this.#directoryAt(below)));
      });
      level = next;
    }
    this.faults.sort((a, b) => (a.where < b.where ? -1 : 1));
  }

  async #directoryAt(below: string): Promise<string[]> {
    const directories: string[] = [];
    let names: string[];
    try {
      names = await readdir(join(this.#directory, below));
    } catch (error) {
      if (below === '' || !this.#isGoneOrClosed(error, below)) throw error;
      return directories;
    }
    for (const name of names) {
      const path = below === '' ? name : `${below}/${name}`;
      if (path === '.git' || (isLeftover(name) && !this.#tracked.has(path))) continue;
      this.#entries += 1;
      if (this.#entries > MAX_TREE_FILES) {
        if (this.#entries === MAX_TREE_FILES + 1) this.#fault('.', `there are more than ${MAX_TREE_FILES} files`, 'TOO_MANY');
        return [];
      }
      if (await this.#entry(path)) directories.push(path);
    }
    return directories;
  }

  /** True for a directory to descend into. */
  async #entry(path: string): Promise<boolean> {
    const stat = await lstat(join(this.#directory, path), { bigint: true }).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT' && path.includes('\uFFFD')) this.#fault(path, 'is not an allowed file name here');
      else if (!this.#isGoneOrClosed(error, path)) throw error;
      return undefined;
    });
    if (stat === undefined) return false;
    const fault = pathFault(path);
    if (fault !== undefined) this.#fault(path, fault);
    else if (stat.isDirectory()) return true;
    else if (!stat.isFile()) {
      this.odd.push(path);
      this.#fault(path, stat.isSymbolicLink() ? 'is a link; only plain files can be here' : 'is not a plain file');
    } else if (stat.size > MAX_FILE_BYTES) this.#fault(path, `has more than ${MAX_FILE_BYTES / 1024 / 1024} MiB`, 'TOO_MANY');
    else {
      this.#bytes += stat.size;
      if (this.#bytes <= MAX_TREE_BYTES) this.found.push({ path, stat });
      else if (this.#bytes - stat.size <= MAX_TREE_BYTES) {
        this.#fault('.', `the files have more than ${MAX_TREE_BYTES / 1024 / 1024} MiB`, 'TOO_MANY');
      }
    }
    return false;
  }

  /** True if the entry disappeared, as when a git works there, or if access is denied, which is reported as a fault. */
  #isGoneOrClosed(error: unknown, path: string): boolean {
    const code = codeOf(error);
    if (code === 'EACCES') this.#fault(path, 'cannot be read: permission denied');
    return code === 'EACCES' || code === 'ENOENT' || code === 'ENOTDIR';
  }

  #fault(path: string, message: string, kind: ViolationKind = 'PARSING_ERROR'): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push({ kind, where: shownPath(path), message, next: 'Move it out of the directory.' });
  }
}

function unreadable(error: unknown, path: string, faults: Violation[]): undefined {
  if (codeOf(error) !== 'EACCES') throw error;
  faults.push({ kind: 'PARSING_ERROR', where: shownPath(path), message: 'cannot be read: permission denied' });
}

function signOf({ ino, size, mode, mtimeNs, ctimeNs }: FileStat): string {
  return `${ino} ${size} ${mode} ${mtimeNs} ${ctimeNs}`;
}

function changedMeanwhile(path: string): DtkdError {
  return new DtkdError('CONFLICT', `${shownPath(path)} was changed while it was read`, { next: 'Try again while nobody edits it.' });
}
