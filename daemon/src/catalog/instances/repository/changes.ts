/** Which files differ between two trees. Pure. */
import { byPath } from './paths.ts';
import type { PathChange, Tree } from './repository.types.ts';

/** Changes sorted by path. A file with the same content whose executable bit differs counts as changed. */
export function changesBetween({ files: before }: Pick<Tree, 'files'>, { files: after }: Pick<Tree, 'files'>): PathChange[] {
  const changes: PathChange[] = [];
  for (const path of before.keys()) if (!after.has(path)) changes.push({ path, op: 'removed' });
  for (const [path, file] of after) {
    const earlier = before.get(path);
    if (earlier === undefined) changes.push({ path, op: 'added' });
    else if (earlier.oid !== file.oid || earlier.executable !== file.executable) changes.push({ path, op: 'changed' });
  }
  return changes.sort(byPath);
}
