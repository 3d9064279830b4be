/** Creates an empty repository with dtkd's configuration. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LEFTOVER_PATTERNS } from './paths.ts';

/**
 * A push updates the work tree if it has no edits. History only grows, so that every converged commit can be restored. Only the
 * daemon moves the branch "applied". `info/exclude` makes git ignore the same leftovers as dtkd.
 */
const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tautocrlf = false
[receive]
\tdenyCurrentBranch = updateInstead
\tdenyNonFastForwards = true
\tdenyDeletes = true
\thideRefs = refs/heads/applied
`;
/** Files are stored byte for byte, whatever a module's .gitattributes say. */
const ATTRIBUTES = '* -text -eol -ident -filter -working-tree-encoding\n';

/** Errors: those of the file system. */
export async function makeLayout(gitdir: string): Promise<void> {
  for (const below of ['info', 'objects/info', 'objects/pack', 'refs/heads', 'refs/tags'])
    await mkdir(join(gitdir, below), { recursive: true });
  const files = {
    HEAD: 'ref: refs/heads/main\n',
    config: CONFIG,
    description: 'A service instance\n',
    'info/exclude': `${LEFTOVER_PATTERNS.join('\n')}\n`,
    'info/attributes': ATTRIBUTES,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(gitdir, name), text);
}
