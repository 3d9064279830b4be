/** docs/install.md, of which the tests of packages run the blocks as they stand there: ` ```sh NAME `. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from '../harness/node-binary.ts';

/** The blocks of that name as one script, for this version and this machine. Errors: there is none. */
export async function scriptOf(name: string, version: string): Promise<string> {
  const text = await readFile(join(REPOSITORY, 'docs', 'install.md'), 'utf8');
  const blocks = [...text.matchAll(/^```sh ([a-z]+)\n([\s\S]*?)^```$/gm)].filter(([, found]) => found === name).map(([, , block]) => block);
  if (blocks.length === 0) throw new Error(`docs/install.md has no commands for ${name}`);
  const debian = process.arch === 'x64' ? 'amd64' : process.arch;
  return blocks.join('').replaceAll('0.1.0', version).replaceAll('-linux-x64', `-linux-${process.arch}`).replaceAll('_amd64', `_${debian}`);
}
