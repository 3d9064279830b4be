/**
 * A kubeconfig on disk. Changes it under a lock file, as kubectl does, and replaces it with a whole file: a concurrent reader sees either
 * the old file or the new one. Only its owner can read it, since it holds tokens.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DtkdError } from '../../protocol/errors.ts';
import { textAt } from '../json.ts';

/** Mode of files that hold tokens. */
const PRIVATE = 0o600;
/** Mode bits for users other than the owner. */
const OTHERS = 0o077;

/** Replaces the text of the file with the result of `change`; a missing file counts as empty. */
export async function changeFile(file: string, change: (text: string) => string): Promise<void> {
  const target = await realpath(file).catch(() => file);
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await locked(target, async () => {
      const text = await readFile(target, 'utf8').catch((error: unknown) => {
        if (textAt(error, 'code') === 'ENOENT') return '';
        throw error;
      });
      await replace(target, change(text));
    });
  } catch (error) {
    if (error instanceof DtkdError) throw error;
    throw new DtkdError('CONFIG_INVALID', `cannot write ${file} (${textAt(error, 'code') ?? String(error)})`, { cause: error });
  }
}

async function replace(target: string, text: string): Promise<void> {
  const mode = await stat(target).then(
    (found) => found.mode & 0o777 & ~OTHERS,
    () => PRIVATE,
  );
  const next = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(next, text, { flag: 'wx', mode });
    await rename(next, target);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

/** Runs `work` under the lock file that kubectl uses, too. */
async function locked(target: string, work: () => Promise<void>): Promise<void> {
  const lock = `${target}.lock`;
  const handle = await open(lock, 'wx').catch((error: unknown) => {
    if (textAt(error, 'code') !== 'EEXIST') throw error;
    throw new DtkdError('CONFLICT', `another program is changing ${target}`, {
      next: `Try again. If no other program is, remove ${lock}.`,
    });
  });
  await handle.close();
  try {
    await work();
  } finally {
    await rm(lock, { force: true });
  }
}
