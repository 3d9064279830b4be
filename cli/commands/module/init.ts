import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { moduleName } from '../../../protocol/code.ts';
import { DtkdError } from '../../../protocol/errors.ts';
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
          next: 'Write who makes it and what it is, in lower-case letters, digits and hyphens: acme/web.',
        });
      }
      const files = newModuleFiles(parsed.data);
      for (const { path, text, executable } of files) {
        const full = join(directory, path);
        await mkdir(dirname(full), { recursive: true });
        // what is there stays
        await writeFile(full, text, { flag: 'wx', mode: executable ? 0o755 : 0o644 }).catch((error: unknown) => {
          throw notWritten(full, error);
        });
      }
      cli.out.lines(files.map(({ path }) => join(directory, path)));
      cli.out.note(`Next: edit it, then "dtkd module install ${directory}".`);
    });
}

function notWritten(path: string, error: unknown): unknown {
  const code: unknown = Reflect.get(Object(error), 'code');
  if (code !== 'EEXIST') return error;
  return new DtkdError('ALREADY_EXISTS', `${path} is there already`, { next: 'Choose another directory.', cause: error });
}
