/** `npm run reference`: writes docs/reference.md. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorCodes } from '../protocol/errors.ts';
import { KINDS } from '../protocol/kinds/index.ts';
import { describeCommands } from './commands.ts';
import { referencePage } from './reference-page.ts';

/** The text of the page. */
export async function makeReference(root: string): Promise<string> {
  return referencePage({ kinds: KINDS, described: await describeCommands(root, join(root, 'bin', 'dtkd.js')), codes: errorCodes() });
}

if (import.meta.main) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  await writeFile(join(root, 'docs', 'reference.md'), await makeReference(root));
}
