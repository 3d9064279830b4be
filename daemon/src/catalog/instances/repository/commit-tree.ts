/** Files of commits. Commits that a clone pushed are checked as strictly as a work tree. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Violation } from '../instances.types.ts';
import { readCommitObject, readTreeObject, treesOf } from './git-format.ts';
import { MAX_DEPTH, MAX_FAULTS, MAX_FILE_BYTES, MAX_META_BYTES, MAX_TREE_FILES } from './limits.ts';
import type { GitObjects } from './objects.ts';
import { byPath, pathFault, shownPath } from './paths.ts';
import type { Tree, TreeFile } from './repository.types.ts';

/** Reads the tree of a commit. Errors: NOT_FOUND, CONTENT_ALTERED, TOO_LARGE. */
export async function readCommitTree(objects: GitObjects, commit: string): Promise<Tree> {
  const read = readCommitObject(commit, await objects.read(commit, 'commit', MAX_META_BYTES));
  if (read === undefined) throw new DtkdError('CONTENT_ALTERED', `the commit ${commit.slice(0, 12)}… cannot be read`);
  const found: TreeFile[] = [];
  const faults: Violation[] = [];
  await collect(objects, read.tree, '', 0, { found, faults, entries: 0 });
  for (const where of metTwice(found)) {
    faults.push({ kind: 'PARSING_ERROR', where: shownPath(where), message: 'is there twice, or as a file and a directory' });
  }
  const files = new Map(found.sort(byPath).map((file) => [file.path, file]));
  return {
    // with faulty entries left out, the id of what remains
    id: faults.length === 0 ? read.tree : treesOf(files.values()).root,
    files,
    faults: faults.slice(0, MAX_FAULTS),
    async read(path) {
      const file = files.get(path);
      if (file === undefined) throw new DtkdError('NOT_FOUND', `there is no ${shownPath(path)} in the commit ${commit.slice(0, 7)}`);
      return objects.read(file.oid, 'blob', MAX_FILE_BYTES);
    },
  };
}

/**
 * Paths that occur twice, or as a file and a directory. No work tree can have them; git never writes such a tree, but a clone may
 * push one.
 */
function metTwice(files: readonly TreeFile[]): string[] {
  const directories = new Set<string>();
  for (const { path } of files) {
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) directories.add(path.slice(0, at));
  }
  const met = new Set<string>();
  return files.flatMap(({ path }) => {
    const twice = met.has(path) || directories.has(path);
    met.add(path);
    return twice ? [path] : [];
  });
}

interface Collected {
  found: TreeFile[];
  faults: Violation[];
  /** Entries read, directories included. One stored directory may appear in many places, so the number of objects is no bound. */
  entries: number;
}

async function collect(objects: GitObjects, oid: string, below: string, depth: number, into: Collected): Promise<void> {
  const entries = readTreeObject(await objects.read(oid, 'tree', MAX_META_BYTES), MAX_TREE_FILES);
  into.entries += 1;
  if (entries === undefined || depth > MAX_DEPTH) {
    into.faults.push({ kind: 'PARSING_ERROR', where: shownPath(below) || '.', message: 'cannot be read as a directory' });
    return;
  }
  for (const { mode, name, oid: entry } of entries) {
    into.entries += 1;
    if (into.entries > 2 * MAX_TREE_FILES) throw new DtkdError('TOO_LARGE', `the commit has more than ${MAX_TREE_FILES} files`);
    const path = below === '' ? name : `${below}/${name}`;
    const fault = name.includes('/') ? 'is not an allowed file name here' : (pathFault(path) ?? kindFault(mode));
    if (fault !== undefined) into.faults.push({ kind: 'PARSING_ERROR', where: shownPath(path), message: fault });
    else if (mode === '40000') await collect(objects, entry, path, depth + 1, into);
    else into.found.push({ path, executable: mode === '100755', oid: entry });
  }
}

function kindFault(mode: string): string | undefined {
  if (mode === '120000') return 'is a link; only plain files can be here';
  if (mode === '160000') return 'is a repository of its own (a submodule); only its files can be here';
  return ['40000', '100644', '100755', '100664'].includes(mode) ? undefined : 'is not a plain file';
}
