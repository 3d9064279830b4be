/**
 * Git operations that were begun in a work tree and not finished, such as merges. Files in conflict contain both sides with git's
 * markers, which must not run; and a commit in the middle of a merge would lose what was merged.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Violation } from '../instances.types.ts';
import { unmergedPaths } from './git-format.ts';
import { MAX_FAULTS } from './limits.ts';
import { shownPath } from './paths.ts';
import { codeOf, exists } from './storage.ts';

/** Files below `.git` that exist while an operation lasts, with its command. */
const BEGUN = [
  ['MERGE_HEAD', 'merge'],
  ['CHERRY_PICK_HEAD', 'cherry-pick'],
  ['REVERT_HEAD', 'revert'],
] as const;

/** Faults of the work tree. Empty: nothing is unfinished. */
export async function unfinishedIn(gitdir: string): Promise<Violation[]> {
  const found: Violation[] = [];
  for (const [file, command] of BEGUN) {
    if (!(await exists(join(gitdir, file)))) continue;
    const next = `Finish it in the directory of the service with "git commit", or undo it: git ${command} --abort.`;
    found.push({ kind: 'PARSING_ERROR', where: '.', message: `a git ${command} was begun here and is not finished`, next });
  }
  for (const path of unmergedPaths(await indexAt(gitdir)).slice(0, MAX_FAULTS)) {
    const next = 'Merge both sides in an editor, then mark it as resolved: git add.';
    found.push({ kind: 'PARSING_ERROR', where: shownPath(path), message: 'is in conflict: git has written both sides into it', next });
  }
  return found;
}

async function indexAt(gitdir: string): Promise<Buffer> {
  return readFile(join(gitdir, 'index')).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
}
