/**
 * Removes the directory of a resource that was taken down, if dtkd wrote all that is in it. Whatever else is there belongs to its
 * commands or to users, and then nothing is removed.
 */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MAX_MODULE_BYTES } from '../../../../../protocol/definitions/module.ts';
import { systemCode, unlessMissing } from '../../../disk/system-error.ts';

/** Directories above that of a resource which go if they are empty: type, model and owner. */
const ABOVE = 3;
const IN_USE = 'in use';

/**
 * `written`: SHA-256 of what dtkd wrote, by path. Returns the first entry that is something else, after which nothing is removed;
 * undefined if the directory is gone. Errors: those of the system.
 */
export async function removeWritten(directory: string, written: Readonly<Record<string, string>>): Promise<string | undefined> {
  const files: string[] = [];
  const directories = [''];
  const expected = new Set(['', 'var', ...Object.keys(written).flatMap(parentsOf)]);
  // entries found meanwhile are added
  for (const at of directories) {
    const path = join(directory, at);
    const info = await lstat(path).catch(unlessMissing);
    if (info === undefined) continue;
    if (!info.isDirectory() || !expected.has(at)) return at || '.';
    for (const entry of await readdir(path, { withFileTypes: true })) {
      const name = at === '' ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) directories.push(name);
      else if (await isAsWritten(join(directory, name), Object.hasOwn(written, name) ? written[name] : undefined)) files.push(name);
      else return name;
    }
  }
  for (const name of files) await unlink(join(directory, name)).catch(unlessMissing);
  // only if they are empty: something may have come meanwhile
  for (const at of directories.reverse()) await rmdir(join(directory, at)).catch(unlessMissing);
  for (let up = dirname(directory), count = 0; count < ABOVE; up = dirname(up), count += 1) {
    if ((await rmdir(up).catch(unlessMissing).catch(unlessInUse)) === IN_USE) break;
  }
  return undefined;
}

async function isAsWritten(path: string, digest: string | undefined): Promise<boolean> {
  if (digest === undefined) return false;
  const info = await lstat(path);
  // not read if something else has taken its place: a pipe, or an endless file
  if (!info.isFile() || info.size > MAX_MODULE_BYTES) return false;
  return (
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex') === digest
  );
}

function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_part, at) => parts.slice(0, at + 1).join('/'));
}

function unlessInUse(error: unknown): typeof IN_USE {
  if (systemCode(error) !== 'ENOTEMPTY' && systemCode(error) !== 'EEXIST') throw error;
  return IN_USE;
}
