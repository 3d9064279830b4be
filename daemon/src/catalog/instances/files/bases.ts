/** The versions that module copies were made from. */
import type { LockedModule } from '../../../../../protocol/definitions/service-file.ts';
import type { Repository, Tree } from '../repository/repository.types.ts';
import { type CopyReader, copiesIn, copyPath } from './copies.ts';
import type { ModuleBases } from './files.types.ts';
import { type CopiedFile, type FileSet, fileSet } from './three-way.ts';

/** Commits that are searched for a version that is no longer on the node. */
const LOOKED_BACK = 100;

/** The files of a copy in a tree. */
export async function ownFiles(tree: Tree, module: string): Promise<Map<string, CopiedFile>> {
  const files: CopiedFile[] = [];
  for (const { path, executable } of copiesIn(tree).get(module)?.files ?? []) {
    files.push({ path, executable, data: new Uint8Array(await tree.read(copyPath(module, path))) });
  }
  return fileSet(files);
}

export interface Based {
  repository: Repository;
  bases: ModuleBases;
  copies: CopyReader;
}

/** The files of the locked version, from the node or from the instance's own history. Undefined: found in neither. */
export async function lockedFiles(
  { repository, bases, copies }: Based,
  module: string,
  locked: LockedModule,
): Promise<FileSet | undefined> {
  const here = await bases.get(locked.digest);
  if (here !== undefined) return fileSet(here.archive.files);
  for (const { id } of await repository.log({ limit: LOOKED_BACK })) {
    const tree = await repository.tree(id);
    const files = copiesIn(tree).get(module);
    const read = files === undefined ? undefined : await copies.read(tree, files);
    if (read !== undefined && 'copy' in read && read.copy.digest === locked.digest) return fileSet(read.copy.archive.files);
  }
  return undefined;
}
