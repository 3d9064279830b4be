/** docs/install.md, whose blocks ` ```sh NAME ` the tests of packages run unchanged. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from '../harness/node-binary.ts';

/** The blocks of that name as one script, for this version and this machine. Throws if there are none. */
export async function scriptOf(name: string, version: string): Promise<string> {
  const text = await readFile(join(REPOSITORY, 'docs', 'install.md'), 'utf8');
  const blocks = [...text.matchAll(/^```sh ([a-z]+)\n([\s\S]*?)^```$/gm)].filter(([, found]) => found === name).map(([, , block]) => block);
  if (blocks.length === 0) throw new Error(`docs/install.md has no commands for ${name}`);
  const debian = process.arch === 'x64' ? 'amd64' : process.arch;
  return blocks.join('').replaceAll('0.1.0', version).replaceAll('-linux-x64', `-linux-${process.arch}`).replaceAll('_amd64', `_${debian}`);
}
