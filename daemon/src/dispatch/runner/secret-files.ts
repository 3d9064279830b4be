/**
 * Passes secrets to one process as files: in memory if the system offers that, else in its run directory; owned by the user that the
 * process runs as, mode 0600, in a directory that nobody else can enter. A link in the run directory points to them, so that a later
 * daemon can remove them.
 */
import { chmod, chown, lchown, lstat, mkdir, mkdtemp, readdir, readlink, rm, rmdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isMissing } from '../../disk/system-error.ts';
import type { Account } from './accounts.ts';

/** Entry of the run directory: a link to the directory of secrets, or that directory itself. */
const NAME = 'secrets';
const PREFIX = 'dtkd-secrets-';
const PRIVATE_DIRECTORY = 0o700;

export interface SecretFile {
  variable: string;
  value: Buffer;
}

/** Writes the files, and returns the variables with their paths. `memory`: a directory that is not on a disk, if there is one. */
export async function writeSecretFiles(
  run: string,
  files: readonly SecretFile[],
  owner: Account | undefined,
  memory: string | undefined,
): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  if (files.length === 0) return variables;
  const link = join(run, NAME);
  let directory = link;
  // Another user cannot enter the data directory.
  const place = memory ?? (owner === undefined ? undefined : tmpdir());
  if (place === undefined) await mkdir(directory, { mode: PRIVATE_DIRECTORY });
  else {
    directory = await mkdtemp(join(place, PREFIX));
    await symlink(directory, link);
  }
  for (const [index, { variable, value }] of files.entries()) {
    const path = join(directory, String(index));
    await writeFile(path, value, { mode: 0o600, flag: 'wx' });
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    variables[variable] = path;
  }
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
  return variables;
}

/**
 * Removes a tree that another user may own and may be changing at this very moment. Takes over each directory and closes it to everybody
 * else before reading it, so that no path can be redirected meanwhile. Does not follow links.
 */
async function removeTaken(path: string): Promise<void> {
  const own = process.geteuid?.();
  const { uid } = await lstat(path);
  if (own !== undefined && uid !== own) await lchown(path, own, process.getegid?.() ?? -1);
  if (!(await lstat(path)).isDirectory()) return unlink(path);
  await chmod(path, PRIVATE_DIRECTORY);
  for (const name of await readdir(path)) await removeTaken(join(path, name));
  await rmdir(path);
}

/** Removes the secret files of a run, if any. Never rejects. */
export async function removeSecretFiles(run: string): Promise<void> {
  const path = join(run, NAME);
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink()) {
      const directory = await readlink(path);
      if (basename(directory).startsWith(PREFIX)) await removeTaken(directory).catch(unlessGone);
    }
    await rm(path, { recursive: true, force: true });
  } catch {
    // There are none, or they cannot be removed.
  }
}

function unlessGone(error: unknown): void {
  if (!isMissing(error)) throw error;
}
