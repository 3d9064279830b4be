/** Branches of one git repository. Writes as git does: with a lock file beside the ref, after comparing the old value, and atomically. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { syncDirectory } from '../../../disk/sync-directory.ts';
import { isomorphicGit } from './isomorphic.ts';
import { withLockFile } from './lock-file.ts';
import { codeOf, exists, replaceFile, temporaryIn } from './storage.ts';

export const MAIN = 'refs/heads/main';
/** The last commit that was converged completely. */
export const APPLIED = 'refs/heads/applied';
const OID = /^[0-9a-f]{40}$/;

/** The commit of a ref such as `refs/heads/main`. Undefined if there is none. */
export async function readRef(gitdir: string, ref: string): Promise<string | undefined> {
  try {
    const oid = (await readFile(join(gitdir, ref), 'latin1')).trim();
    if (OID.test(oid)) return oid;
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EISDIR') throw error;
    // git packs refs that have not changed for long
    if (!(await exists(join(gitdir, 'packed-refs')))) return undefined;
  }
  const git = await isomorphicGit(gitdir);
  return git.resolveRef(ref).catch(() => undefined);
}

/** Moves a ref, or deletes it if `to` is undefined. Errors: CONFLICT if its value is not `from`, or if a git holds its lock. */
export async function moveRef(gitdir: string, ref: string, to: string | undefined, from?: { is: string | undefined }): Promise<void> {
  const path = join(gitdir, ref);
  await withLockFile(`${path}.lock`, async () => {
    const before = await readRef(gitdir, ref);
    if (from !== undefined && before !== from.is) throw movedMeanwhile();
    if (before === to) return;
    if (to === undefined) {
      await rm(path, { force: true });
      if ((await readRef(gitdir, ref)) !== undefined) await (await isomorphicGit(gitdir)).deleteRef(ref);
      return;
    }
    await replaceFile({ path, data: `${to}\n`, temporary: temporaryIn(gitdir, 'dtkd-ref-') });
    await syncDirectory(join(gitdir, 'refs', 'heads'));
  });
}

/** The commit of `main`. Errors: CONFLICT if another branch is checked out; NOT_FOUND if `main` has no commit. */
export async function readHead(gitdir: string): Promise<string> {
  const head = (await readFile(join(gitdir, 'HEAD'), 'utf8')).trim();
  if (head !== `ref: ${MAIN}`) {
    throw new DtkdError(
      'CONFLICT',
      `the work tree is not on the branch main but on ${head.replace(/^ref: (refs\/heads\/)?/, '').slice(0, 100)}`,
      {
        next: 'Merge into main what should be converged, and switch back: git switch main.',
      },
    );
  }
  const oid = await readRef(gitdir, MAIN);
  if (oid === undefined)
    throw new DtkdError('NOT_FOUND', 'the repository has no commit', { next: 'See what happened there with "git fsck".' });
  return oid;
}

export function movedMeanwhile(): DtkdError {
  return new DtkdError('CONFLICT', 'the service was changed by somebody else meanwhile: there is a new commit', {
    next: 'Look at it with "dtkd service diff", and try again.',
  });
}
