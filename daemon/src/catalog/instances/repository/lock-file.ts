/**
 * Lock files compatible with git's: whoever creates one has exclusive access until it is removed. Ours are recognized by their
 * content, or while still empty by their mode, so that one left by a dead daemon is not waited for.
 */
import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as after } from 'node:timers/promises';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { GIT_ABANDONED_MS, GIT_PATIENCE_MS } from './limits.ts';
import { codeOf } from './storage.ts';

const MARK = 'dtkd\n';
/** Set when the file is created. Git's own lock files are always writable. */
const MODE = 0o400;
/** Milliseconds between two attempts to take the lock. */
const LOOK_AGAIN_MS = 25;

/**
 * Runs `work` while holding the lock file. Within this process the caller must serialize. Errors: CONFLICT if a git holds it for
 * longer than `patienceMs`.
 */
export async function withLockFile<T>(path: string, work: () => Promise<T>, patienceMs = GIT_PATIENCE_MS): Promise<T> {
  const deadline = performance.now() + patienceMs;
  while (!(await taken(path))) {
    if (await isAbandoned(path)) await rm(path, { force: true });
    else if (performance.now() < deadline) await after(LOOK_AGAIN_MS);
    else {
      throw new DtkdError('CONFLICT', `git is working in this repository: ${path} exists`, {
        next: `Try again when it is done. If no git runs there any more, remove ${path}.`,
      });
    }
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

/** Removes a lock file left by a dead daemon, which a git would wait for forever. Only call it when nobody in this process can hold it. */
export async function removeLeftLock(path: string): Promise<void> {
  if (await isOurs(path)) await rm(path, { force: true });
}

async function taken(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', MODE);
    try {
      await file.writeFile(MARK);
    } catch (error) {
      // without its mark it would not be recognized as ours
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const left = await stat(path).catch(letGo);
  return left !== undefined && (Date.now() - left.mtimeMs > GIT_ABANDONED_MS || isOurs(path));
}

async function isOurs(path: string): Promise<boolean> {
  const found = await stat(path).catch(letGo);
  if (found?.size === 0) return (found.mode & 0o777) === MODE;
  return found?.size === MARK.length && (await readFile(path, 'latin1').catch(letGo)) === MARK;
}

/** Undefined if the file disappeared meanwhile. */
function letGo(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}
