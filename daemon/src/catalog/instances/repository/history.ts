/**
 * The history of a repository, newest first. A clone may have pushed commits that git would not write; they are shown as far as
 * they can be read.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { readCommitObject } from './git-format.ts';
import { MAX_META_BYTES } from './limits.ts';
import type { GitObjects } from './objects.ts';
import type { Commit } from './repository.types.ts';

/** A commit and its ancestors, at most `limit`. Errors: NOT_FOUND, CONTENT_ALTERED, TOO_LARGE. */
export async function historyOf(objects: GitObjects, from: string, limit: number): Promise<Commit[]> {
  const found: Commit[] = [];
  const met = new Set([from]);
  const waiting = [await readCommit(objects, from)];
  for (;;) {
    waiting.sort((a, b) => b.at - a.at);
    const newest = waiting.shift();
    if (newest === undefined) break;
    found.push(newest);
    // read no further than requested: older commits may be damaged
    if (found.length === limit) break;
    for (const parent of newest.parents) {
      if (met.has(parent)) continue;
      met.add(parent);
      const read = await readCommit(objects, parent).catch((error: unknown) => {
        // a shallow clone lacks the parents of its oldest commits
        if (error instanceof DtkdError && error.code === 'NOT_FOUND') return undefined;
        throw error;
      });
      if (read !== undefined) waiting.push(read);
    }
  }
  return found;
}

async function readCommit(objects: GitObjects, id: string): Promise<Commit> {
  const read = readCommitObject(id, await objects.read(id, 'commit', MAX_META_BYTES));
  if (read === undefined) throw new DtkdError('CONTENT_ALTERED', `the commit ${id.slice(0, 12)}… cannot be read`);
  const { message, author, at, parents } = read;
  return { id, message, author, at, parents };
}
