import { lstat, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MANIFEST_FILE, MAX_MODULE_BYTES, MAX_MODULE_FILES } from '../../protocol/definitions/module.ts';
import { DtkdError } from '../../protocol/errors.ts';
import type { ModuleFile } from '../../protocol/modules/archive.ts';
import { shellWord } from '../../protocol/text/shell-word.ts';

/** Entries of a module's directory that are not part of the module. */
const LEFT_OUT = new Set(['.git', '.hg', '.svn', '.DS_Store']);

/**
 * Reads a directory as the files of a module; links and devices are refused. `next`: advice if it is none. Errors: BAD_REQUEST, TOO_LARGE.
 */
export async function readModuleDirectory(
  directory: string,
  next = `Name the directory of a module, or begin one: dtkd module init ${shellWord(directory)} acme/web.`,
): Promise<ModuleFile[]> {
  const files: ModuleFile[] = [];
  await read(directory, '', files, { bytes: 0 });
  if (!files.some(({ path }) => path === MANIFEST_FILE)) {
    throw new DtkdError('BAD_REQUEST', `there is no ${MANIFEST_FILE} in ${directory}`, {
      next,
    });
  }
  return files;
}

async function read(root: string, below: string, files: ModuleFile[], sum: { bytes: number }): Promise<void> {
  const names = await readdir(join(root, below)).catch((error: unknown) => {
    throw unreadable(join(root, below), error);
  });
  for (const name of names.sort()) {
    if (LEFT_OUT.has(name)) continue;
    const path = below === '' ? name : `${below}/${name}`;
    const full = join(root, path);
    const stats = await lstat(full);
    if (stats.isDirectory()) {
      await read(root, path, files, sum);
      continue;
    }
    if (!stats.isFile()) {
      throw new DtkdError(
        'BAD_REQUEST',
        `${full} is ${stats.isSymbolicLink() ? 'a link' : 'not a plain file'}, and a module can only have plain files`,
        {
          next: stats.isSymbolicLink() ? 'Put the file itself there.' : 'Take it out of the directory.',
        },
      );
    }
    sum.bytes += stats.size;
    if (files.length >= MAX_MODULE_FILES || sum.bytes > MAX_MODULE_BYTES) {
      throw new DtkdError(
        'TOO_LARGE',
        `a module has at most ${MAX_MODULE_FILES} files and ${MAX_MODULE_BYTES / 1024 / 1024} MiB, and there is more in ${root}`,
        {
          next: 'Name the directory of the module alone, and keep large files out of it.',
        },
      );
    }
    const data = await readFile(full).catch((error: unknown) => {
      throw unreadable(full, error);
    });
    files.push({ path, executable: (stats.mode & 0o111) !== 0, data: Uint8Array.from(data) });
  }
}

function unreadable(path: string, error: unknown): DtkdError {
  const code: unknown = Reflect.get(Object(error), 'code');
  const why =
    code === 'ENOENT'
      ? 'it is not there'
      : code === 'ENOTDIR'
        ? 'it is not a directory'
        : code === 'EACCES'
          ? 'permission denied'
          : String(code);
  const next = code === 'ENOTDIR' ? `Name the directory that it is in: ${dirname(path)}.` : 'Name a directory that can be read here.';
  return new DtkdError('BAD_REQUEST', `cannot read ${path}: ${why}`, { cause: error, next });
}
