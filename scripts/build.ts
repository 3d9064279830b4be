/**
 * Makes dist/ for the published package: the program and its libraries as few files of plain JavaScript, the script of its reference page,
 * its manual page and its completions. A checkout runs the sources and needs no build.
 */
import { spawnSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writePrograms } from './programs.ts';
import { writeReferenceScript } from './reference-script.ts';
import { writeSharedFiles } from './shared-files.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
const dist = join(root, 'dist');

// Built in a new directory, so that a failed build leaves the previous one, and no file lingers whose source was removed.
const made = join(root, 'dist.new');
rmSync(made, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [join(typescript, 'bin', 'tsc'), '--project', 'tsconfig.build.json'], {
  cwd: root,
  // tsc prints its errors on standard output, which belongs to the result of `npm pack`.
  stdio: ['ignore', 2, 2],
});
if (status === 0) {
  await Promise.all([writePrograms(root, made), writeSharedFiles(root, made), writeReferenceScript(made)]);
  rmSync(dist, { recursive: true, force: true });
  renameSync(made, dist);
}
process.exitCode = status ?? 1;
