/** The program as users get it, made of the sources as they stand. Benchmarks that run a checkout measure how long its two thousand files take to be found. */
import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrograms } from '../scripts/programs.ts';
import { REPOSITORY } from '../test/harness/node-binary.ts';

/** Makes it below `directory`. Returns what to start. */
export async function publishedProgram(directory: string): Promise<readonly string[]> {
  await writePrograms(REPOSITORY, join(directory, 'dist'));
  for (const name of ['bin', 'package.json']) await cp(join(REPOSITORY, name), join(directory, name), { recursive: true });
  await symlink(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  return [join(directory, 'bin', 'dtkd')];
}
