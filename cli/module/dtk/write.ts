/** Writes the files of a converted module: all of them or, if one exists with other content, none. */
import { chmod, lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ModuleFile } from '../../../protocol/modules/archive.ts';

export interface Written {
  created: string[];
  changed: string[];
  unchanged: string[];
}

/** Writes the files. Errors: ALREADY_EXISTS, naming the files that would change, unless `replace`; then nothing was written. */
export async function writeModule(
  directory: string,
  files: readonly ModuleFile[],
  { replace, dryRun }: { replace: boolean; dryRun: boolean },
): Promise<Written> {
  const written: Written = { created: [], changed: [], unchanged: [] };
  const todo: ModuleFile[] = [];
  for (const file of files) {
    const state = await stateOf(join(directory, file.path), file);
    written[state].push(file.path);
    if (state !== 'unchanged') todo.push(file);
  }
  if (written.changed.length > 0 && !replace) {
    throw new DtkdError(
      'ALREADY_EXISTS',
      `nothing was written: these files exist with other content\n  ${written.changed.slice(0, 20).join('\n  ')}`,
      {
        next: 'Name another directory with --out, or overwrite them with --replace.',
      },
    );
  }
  if (dryRun) return written;
  for (const { path, data, executable } of todo) {
    const full = join(directory, path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, data);
    await chmod(full, executable ? 0o755 : 0o644);
  }
  return written;
}

async function stateOf(path: string, { data, executable }: ModuleFile): Promise<keyof Written> {
  const stats = await lstat(path).catch((error: unknown) => {
    const code: unknown = Reflect.get(Object(error), 'code');
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR') throw inTheWay(path, error);
    throw error;
  });
  if (stats === undefined) return 'created';
  if (!stats.isFile()) throw inTheWay(path);
  const same = stats.size === data.length && ((stats.mode & 0o111) !== 0) === executable && (await readFile(path)).equals(data);
  return same ? 'unchanged' : 'changed';
}

function inTheWay(path: string, cause?: unknown): DtkdError {
  return new DtkdError('ALREADY_EXISTS', `nothing was written: something that is not a plain file is in the way of ${path}`, {
    next: 'Name another directory with --out.',
    ...(cause === undefined ? {} : { cause }),
  });
}
