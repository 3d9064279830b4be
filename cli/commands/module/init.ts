import { lstat, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { moduleName } from '../../../protocol/definitions/code.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { shellWord } from '../../../protocol/text/shell-word.ts';
import type { Cli } from '../../cli.ts';
import { newModuleFiles } from '../../module/template.ts';

const EXAMPLES = `
Examples:
  dtkd module init web acme/web         makes the directory web with a manifest and scripts that work
  dtkd module install web               installs it on this node`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<directory>', 'directory of the new module')
    .argument('<name>', 'its name, e.g. acme/web')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, name: string) => {
      const parsed = moduleName.safeParse(name);
      if (!parsed.success) {
        throw new DtkdError('NAME_INVALID', `"${name.slice(0, 120)}" is not the name of a module`, {
          next: 'Write NAMESPACE/NAME in lower-case letters, digits and hyphens, e.g. acme/web.',
        });
      }
      const files = newModuleFiles(parsed.data);
      // check first, so that all files are written or none
      for (const { path } of files) await assertFree(join(directory, path));
      for (const { path, text, executable } of files) {
        const full = join(directory, path);
        await mkdir(dirname(full), { recursive: true }).catch((error: unknown) => {
          throw notWritten(dirname(full), codeOf(error));
        });
        // 'wx': never overwrites
        await writeFile(full, text, { flag: 'wx', mode: executable ? 0o755 : 0o644 }).catch((error: unknown) => {
          throw notWritten(full, codeOf(error));
        });
      }
      cli.out.lines(files.map(({ path }) => join(directory, path)));
      cli.out.note(`Next: edit it, then: dtkd module install ${shellWord(directory)}`);
    });
}

async function assertFree(path: string): Promise<void> {
  const there = await lstat(path).then(
    () => 'EEXIST',
    (error: unknown) => codeOf(error),
  );
  if (there !== 'ENOENT') throw notWritten(there === 'ENOTDIR' ? dirname(path) : path, there);
}

function notWritten(path: string, code: unknown): DtkdError {
  const isThere = code === 'EEXIST' || code === 'ENOTDIR';
  return isThere
    ? new DtkdError('ALREADY_EXISTS', `${path} already exists`, { next: 'Choose another directory.' })
    : new DtkdError('BAD_REQUEST', `cannot write ${path}: ${String(code)}`, { next: 'Choose a directory that you may write to.' });
}

function codeOf(error: unknown): unknown {
  return Reflect.get(Object(error), 'code');
}
