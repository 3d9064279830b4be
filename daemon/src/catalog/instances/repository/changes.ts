/** Which files differ between two trees: pure. */
import { byPath } from './paths.ts';
import type { PathChange, Tree } from './repository.types.ts';

/** In the order of paths. A file whose content is the same and that became executable, or is it no more, is changed. */
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
