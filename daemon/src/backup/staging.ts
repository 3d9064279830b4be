/**
 * Holds the files of a data directory as they are at one moment, while the daemon goes on: hard links to what never changes or is only added to, copies of the
 * rest, in a directory of their own. Owns that directory. Follows no links, and leaves out what is no file.
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
  /** In the data directory. */
  path: string;
  type: 'file' | 'directory';
  mode: number;
  /** Bytes of it that count. */
  size: number;
}

/** How a tree is read. */
export interface Reading {
  /** Of a path below the tree. */
  treatment(path: string): Treatment;
  /** What has a lower one is read before the rest of its directory. */
  rank?(path: string): number;
  /** Absent: what is removed while it is read is left out. */
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

  /** In the order of their paths, each directory before what is in it. */
  all(): Staged[] {
    return [...this.#staged.values()].sort((a, b) => comparePaths(a.path, b.path));
  }

  /** Forgets what was held below a path, to begin again. */
  async drop(path: string): Promise<void> {
    for (const held of this.#staged.keys()) if (held === path || held.startsWith(`${path}/`)) this.#staged.delete(held);
    await rm(join(this.#root, path), { recursive: true, force: true });
  }

  /** Holds the tree at `from` as `path`. What is held already stays; of what has grown since, more counts. Errors: those of the file system. */
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

  /** Holds a file; of one that grows the first `size` bytes. Errors: TOO_LARGE for one with which no restore would take the backup. */
  async file(from: string, path: string, { treatment, size }: { treatment: Exclude<Treatment, 'skip'>; size?: number }): Promise<void> {
    const to = join(this.#root, path);
    if (Math.min(size ?? Number.POSITIVE_INFINITY, (await stat(from)).size) > MAX_FILE_BYTES) {
      throw new DtkdError('TOO_LARGE', `${from} is larger than a file in a backup can be (8 GiB)`, {
        next: 'Move it out of the data directory, if it is none of dtkd.',
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

/** False where the file system has no hard links. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isMissing(error) || systemCode(error) === 'ENOSPC') throw error;
    return false;
  }
}
