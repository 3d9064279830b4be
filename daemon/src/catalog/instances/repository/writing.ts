/** Writes files to a work tree: never through a link, each atomically. */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { MAX_FILE_BYTES } from './limits.ts';
import { pathFault, shownPath } from './paths.ts';
import type { FileWrite } from './repository.types.ts';
import { codeOf, openPlain, replaceFile, temporaryIn } from './storage.ts';

const PLAIN = 0o644;
const EXECUTABLE = 0o755;

export class WorkTreeWriter {
  readonly #directory: string;
  readonly #gitdir: string;

  constructor(directory: string, gitdir: string) {
    this.#directory = directory;
    this.#gitdir = gitdir;
  }

  /** Writes a file. `executable` undefined: unchanged. Errors: CONFLICT, DISK_FULL. */
  async put(path: string, data: Uint8Array, executable: boolean | undefined): Promise<void> {
    await this.#makeDirectories(path);
    const target = join(this.#directory, path);
    const mode = (executable ?? (await isExecutable(target))) ? EXECUTABLE : PLAIN;
    const file = () => replaceFile({ path: target, data, mode, temporary: temporaryIn(this.#gitdir, 'dtkd-file-') });
    await file().catch(async (error: unknown) => {
      if (codeOf(error) !== 'EISDIR') throw error;
      // git does not track directories, so an empty one may go
      await rmdir(target).catch(() => {
        throw inTheWay(path);
      });
      await file();
    });
  }

  async setExecutable(path: string, executable: boolean): Promise<void> {
    await chmod(join(this.#directory, path), executable ? EXECUTABLE : PLAIN);
  }

  /** Removes a file and the directories that become empty. */
  async remove(path: string): Promise<void> {
    if (!(await this.#isReached(path))) return;
    await rm(join(this.#directory, path), { force: true });
    for (let above = dirname(path); above !== '.'; above = dirname(above)) {
      const gone = await rmdir(join(this.#directory, above)).then(
        () => true,
        () => false,
      );
      if (!gone) return;
    }
  }

  /** SHA-256 of a file. Undefined: it does not exist. */
  async digest(path: string): Promise<string | undefined> {
    try {
      const file = await openPlain(join(this.#directory, path));
      try {
        const { size } = await file.stat();
        if (size > MAX_FILE_BYTES) throw new DtkdError('TOO_LARGE', `${shownPath(path)} is too large`);
        return createHash('sha256')
          .update(await file.readFile())
          .digest('hex');
      } finally {
        await file.close();
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /** Errors: INVALID for a path that is not allowed; TOO_LARGE. */
  async assertWritable({ path, data }: FileWrite): Promise<void> {
    const fault = pathFault(path);
    if (fault !== undefined) throw new DtkdError('INVALID', `${shownPath(path)} ${fault}`);
    if (data !== undefined && data.length > MAX_FILE_BYTES) throw new DtkdError('TOO_LARGE', `${shownPath(path)} is too large`);
  }

  async #makeDirectories(path: string): Promise<void> {
    let at = '';
    for (const part of path.split('/').slice(0, -1)) {
      at = at === '' ? part : `${at}/${part}`;
      const full = join(this.#directory, at);
      try {
        await mkdir(full);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        if (!(await lstat(full)).isDirectory()) throw inTheWay(at);
      }
    }
  }

  /** False if a directory above the path is missing or is a link. */
  async #isReached(path: string): Promise<boolean> {
    let at = '';
    for (const part of path.split('/').slice(0, -1)) {
      at = at === '' ? part : `${at}/${part}`;
      const stat = await lstat(join(this.#directory, at)).catch(() => undefined);
      if (stat?.isDirectory() !== true) return false;
    }
    return true;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return lstat(path).then(
    ({ mode }) => (mode & 0o100) !== 0,
    () => false,
  );
}

function inTheWay(path: string): DtkdError {
  return new DtkdError('CONFLICT', `${shownPath(path)} is in the way: the work tree has something else with that name`, {
    next: 'Move it out of the directory and try again.',
  });
}
