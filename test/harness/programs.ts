/** What this machine offers to tests: programs on the PATH, and the right to make network namespaces. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Administrators' programs live here even where a user's PATH leaves them out. */
const EXTRA_DIRECTORIES = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/** The path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), ...EXTRA_DIRECTORIES];
  return directories
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A sentence that says which of these are missing, or undefined if all are there. */
export function missing(programs: readonly string[], options: { root?: boolean } = {}): string | undefined {
  const absent = programs.filter((name) => findProgram(name) === undefined);
  const wants = absent.map((name) => `the program ${name}`);
  if (options.root === true && process.getuid?.() !== 0) wants.push('root');
  return wants.length === 0 ? undefined : `needs ${wants.join(', ')}`;
}
