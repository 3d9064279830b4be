/**
 * Holds the files of a data directory as they are at one moment, while the daemon goes on: hard links to files that never change or only
 * grow, copies of the rest, in a separate directory. Owns that directory. Follows no links, and leaves out everything but files and
 * directories.
 */
import { constants, type Dirent } from 'node:fs';
import { copyFile, link, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { DtkdError } from '../../../protocol/errors.ts';
import { isMissing, systemCode } from '../disk/system-error.ts';
import type { Treatment } from './contents.ts';
import { comparePaths, MAX_FILE_BYTES } from './format.ts';

const PRIVATE = 0o700;

export interface Staged {
  /** Its path in the data directory. */
  path: string;
  type: 'file' | 'directory';
  mode: number;
  /** The bytes that belong to the backup. */
  size: number;
}

/** How a tree is read. */
export interface Reading {
  /** The treatment of a path below the tree. */
  treatment(path: string): Treatment;
  /** Within a directory, entries of lower rank are read first. */
  rank?(path: string): number;
  /** If absent, entries that are removed meanwhile are left out. If true, they are errors. */
  whole?: true;
}

export class Stage {
  readonly #root: string;
  readonly #staged = new Map<string, Staged>();

  constructor(root: string) {
    this.#root = root;
  }

  async open(): Promise<void> {
    await this.close();
    await mkdir(this.#root, { mode: PRIVATE });
  }

  async close(): Promise<void> {
    this.#staged.clear();
    await rm(this.#root, { recursive: true, force: true });
  }

  /** Where the held file is. */
  pathOf({ path }: Staged): string {
    return join(this.#root, path);
  }

  /** All held entries in path order, each directory before its contents. */
  all(): Staged[] {
    return [...this.#staged.values()].sort((a, b) => comparePaths(a.path, b.path));
  }

  /** Drops everything held at or below a path, to start over. */
  async drop(path: string): Promise<void> {
    for (const held of this.#staged.keys()) if (held === path || held.startsWith(`${path}/`)) this.#staged.delete(held);
    await rm(join(this.#root, path), { recursive: true, force: true });
  }

  /**
   * Holds the tree at `from` as `path`. Entries already held stay; if one has grown, its new length counts. Errors: those of the file
   * system.
   */
  async tree(from: string, path: string, reading: Reading): Promise<void> {
    await this.#directory(from, path);
    await this.#children(from, path, '', reading);
  }

  async #children(from: string, path: string, below: string, reading: Reading): Promise<void> {
    const at = (entry: Dirent): string => (below === '' ? entry.name : `${below}/${entry.name}`);
    const rank = reading.rank ?? (() => 0);
    const entries = (await readdir(join(from, below), { withFileTypes: true })).sort((a, b) => rank(at(a)) - rank(at(b)));
    for (const entry of entries) {
      const child = at(entry);
      const treatment = reading.treatment(child);
      if (treatment === 'skip') continue;
      const held = path === '' ? child : `${path}/${child}`;
      if (entry.isDirectory()) {
        await this.#unlessGone(reading, async () => {
          await this.#directory(join(from, child), held);
          await this.#children(from, path, child, reading);
        });
      } else if (entry.isFile()) {
        if (!this.#staged.has(held)) await this.#unlessGone(reading, () => this.file(join(from, child), held, { treatment }));
        else if (treatment === 'link') await this.#grown(held);
      }
    }
    await turn();
  }

  async #unlessGone(reading: Reading, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (reading.whole === true || !isMissing(error)) throw error;
    }
  }

  async #grown(path: string): Promise<void> {
    const held = this.#staged.get(path);
    if (held !== undefined) this.#staged.set(path, { ...held, size: (await stat(join(this.#root, path))).size });
  }

  /** Holds a file, or the first `size` bytes of a growing one. Errors: TOO_LARGE for a file larger than a restore accepts. */
  async file(from: string, path: string, { treatment, size }: { treatment: Exclude<Treatment, 'skip'>; size?: number }): Promise<void> {
    const to = join(this.#root, path);
    if (Math.min(size ?? Number.POSITIVE_INFINITY, (await stat(from)).size) > MAX_FILE_BYTES) {
      throw new DtkdError('TOO_LARGE', `${from} is larger than a file in a backup can be (8 GiB)`, {
        next: 'Move it out of the data directory, if it is not a file of dtkd.',
      });
    }
    if (treatment === 'copy' || !(await linked(from, to))) await copyFile(from, to, constants.COPYFILE_FICLONE);
    const found = await stat(to);
    this.#staged.set(path, { path, type: 'file', mode: found.mode & 0o777, size: Math.min(size ?? found.size, found.size) });
  }

  async #directory(from: string, path: string): Promise<void> {
    if (path === '' || this.#staged.has(path)) return;
    const { mode } = await stat(from);
    await mkdir(join(this.#root, path), { recursive: true, mode: PRIVATE });
    this.#staged.set(path, { path, type: 'directory', mode: mode & 0o777, size: 0 });
  }
}

/** Makes a hard link. Returns false if that is not possible here, as on a file system without hard links. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isMissing(error) || systemCode(error) === 'ENOSPC') throw error;
    return false;
  }
}
