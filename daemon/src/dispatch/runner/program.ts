/** Finds the file that a command line starts. */
import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DtkdError } from '../../../../protocol/errors.ts';

/** The search path if the environment has no PATH. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Returns the absolute path of a program, looked up as a shell does. Errors: INVALID if it does not exist or is not executable. */
export async function findProgram(name: string, cwd: string, path: string | undefined): Promise<string> {
  if (name.includes('/')) {
    const file = resolve(cwd, name);
    const problem = await whyNot(file);
    if (problem === undefined) return file;
    throw new DtkdError('INVALID', `${file} cannot be started: ${problem}`);
  }
  if (name !== '') {
    for (const directory of (path ?? DEFAULT_PATH).split(':')) {
      const file = resolve(cwd, directory, name);
      if ((await whyNot(file)) === undefined) return file;
    }
  }
  throw new DtkdError('INVALID', `there is no program ${JSON.stringify(name)} on this node`, {
    next: `It was looked for in ${path ?? DEFAULT_PATH}.`,
  });
}

/** Checks a working directory. Errors: INVALID if it does not exist. */
export async function checkDirectory(cwd: string): Promise<void> {
  const found = await stat(cwd).catch(() => undefined);
  if (found?.isDirectory() !== true) throw new DtkdError('INVALID', `there is no directory ${cwd} on this node`);
}

async function whyNot(file: string): Promise<string | undefined> {
  try {
    const [found] = await Promise.all([stat(file), access(file, constants.X_OK)]);
    return found.isFile() ? undefined : 'it is not a file';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES') return 'it is not executable';
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'there is no such file' : 'it cannot be examined';
  }
}
