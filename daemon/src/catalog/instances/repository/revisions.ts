/** Resolves commits as people name them. */
import { z } from 'zod';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { readCommitObject, readTagObject } from './git-format.ts';
import { isomorphicGit } from './isomorphic.ts';
import { MAX_META_BYTES, MAX_STEPS_BACK } from './limits.ts';
import type { GitObjects } from './objects.ts';
import { readHead, readRef } from './refs.ts';
import { codeOf } from './storage.ts';

const SHAPE = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,127}?)((?:~[0-9]{0,4}|\^){0,8})$/;
/** Levels of tags that point to tags. */
const MAX_TAGS = 8;
const ambiguous = z.object({ data: z.object({ matches: z.array(z.string()) }) });

/** The commit that a revision names. Errors: BAD_REQUEST, NOT_FOUND, AMBIGUOUS. */
export async function resolveRevision(gitdir: string, objects: GitObjects, revision: string): Promise<string> {
  const shape = SHAPE.exec(revision);
  const [, base = '', back = ''] = shape ?? [];
  if (shape === null || base.includes('..')) {
    throw new DtkdError('BAD_REQUEST', `${JSON.stringify(revision.slice(0, 80))} is not a commit`, {
      next: 'Name a commit, e.g. 1f3a9c2, HEAD, HEAD~2 or applied.',
    });
  }
  let commit = await commitNamed(gitdir, objects, base);
  for (let steps = stepsBack(back); steps > 0; steps--) {
    const [parent] = await parentsOf(objects, commit);
    if (parent === undefined) throw notFound(`there are not enough commits for ${revision}`);
    commit = parent;
  }
  return commit;
}

function stepsBack(text: string): number {
  const steps = [...text.matchAll(/~([0-9]{0,4})|\^/g)].map(([all, count]) => (all === '^' || count === '' ? 1 : Number(count)));
  return Math.min(
    steps.reduce((sum, one) => sum + one, 0),
    MAX_STEPS_BACK,
  );
}

async function commitNamed(gitdir: string, objects: GitObjects, name: string): Promise<string> {
  if (name === 'HEAD') return readHead(gitdir);
  if (/^[0-9a-f]{40}$/.test(name)) {
    if (await isCommit(objects, name)) return name;
    throw notFound(`there is no commit ${name}`);
  }
  for (const ref of [`refs/heads/${name}`, `refs/tags/${name}`]) {
    const oid = await readRef(gitdir, ref);
    const commit = oid === undefined ? undefined : await peeled(objects, oid);
    if (commit !== undefined) return commit;
  }
  if (name === 'applied') throw notFound('it was not converged yet: no commit is applied');
  if (/^[0-9a-f]{4,39}$/.test(name)) return byPrefix(gitdir, objects, name);
  throw notFound(`there is no commit ${name}`);
}

async function byPrefix(gitdir: string, objects: GitObjects, prefix: string): Promise<string> {
  const git = await isomorphicGit(gitdir);
  const found = await git.expandOid(prefix).then(
    (oid) => [oid],
    (error: unknown) => {
      if (codeOf(error) === 'NotFoundError') return [];
      const matches = codeOf(error) === 'AmbiguousError' ? ambiguous.safeParse(error).data?.data.matches : undefined;
      if (matches === undefined) throw error;
      return matches;
    },
  );
  const commits: string[] = [];
  for (const oid of new Set(found)) if (await isCommit(objects, oid)) commits.push(oid);
  const [commit] = commits;
  if (commit === undefined) throw notFound(`there is no commit ${prefix}`);
  if (commits.length > 1) {
    throw new DtkdError('AMBIGUOUS', `${commits.length} commits begin with ${prefix}: ${commits.slice(0, 5).join(', ')}`, {
      next: 'Give more characters of the id.',
    });
  }
  return commit;
}

/** The commit itself, or the one that an annotated tag points to. Undefined: neither. */
async function peeled(objects: GitObjects, oid: string): Promise<string | undefined> {
  let at: string | undefined = oid;
  for (let tags = 0; at !== undefined && tags <= MAX_TAGS; tags++) {
    if (await isCommit(objects, at)) return at;
    at = await objects.read(at, 'tag', MAX_META_BYTES).then(readTagObject, missing);
  }
  return undefined;
}

function missing(error: unknown): undefined {
  if (!(error instanceof DtkdError) || error.code !== 'NOT_FOUND') throw error;
}

async function isCommit(objects: GitObjects, oid: string): Promise<boolean> {
  return (await objects.read(oid, 'commit', MAX_META_BYTES).catch(missing)) !== undefined;
}

async function parentsOf(objects: GitObjects, commit: string): Promise<readonly string[]> {
  return readCommitObject(commit, await objects.read(commit, 'commit', MAX_META_BYTES))?.parents ?? [];
}

function notFound(message: string): DtkdError {
  return new DtkdError('NOT_FOUND', message, { next: 'List the commits with "dtkd service log", or with "git log" in its directory.' });
}
