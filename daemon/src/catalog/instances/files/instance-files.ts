/**
 * The files of service instances as one part: reads, checks, compares and edits them, and moves module copies from and to their
 * bases. Works in the repositories that it is given, and owns only caches.
 */
import { SERVICE_FILE } from '../../../../../protocol/definitions/service-file.ts';
import { ServiceEditing } from '../editing/service-editing.ts';
import { changesBetween } from '../repository/changes.ts';
import type { Repositories, Tree } from '../repository/repository.types.ts';
import { lockedFiles, ownFiles } from './bases.ts';
import { CopyReader } from './copies.ts';
import { serviceDifferences } from './differences.ts';
import { fileDifferences } from './file-differences.ts';
import type { CopyDifference, InstanceFiles, ModuleBases, ReadFiles } from './files.types.ts';
import { maskedService } from './masking.ts';
import { noSuchModule, pull, push } from './moving-copies.ts';
import { FileReader } from './read-files.ts';
import { hiddenPaths } from './rules.ts';
import { changedPaths } from './three-way.ts';

export interface InstanceFilesOptions {
  repositories: Repositories;
  bases: ModuleBases;
}

export function createInstanceFiles({ repositories, bases }: InstanceFilesOptions): InstanceFiles {
  const copies = new CopyReader();
  const reader = new FileReader(copies);
  const editing = new ServiceEditing(reader);
  const moving = { bases, copies, reader };
  const files: InstanceFiles = {
    async working(instance) {
      const { head, tree, changes } = await (await repositories.open(instance)).status();
      return { ...(await reader.read(instance, tree)), head, changes };
    },
    async at(instance, revision) {
      const repository = await repositories.open(instance);
      const commit = await repository.resolve(revision);
      return { ...(await reader.read(instance, await repository.tree(commit))), commit };
    },
    content: async (instance, options) => editing.content(await repositories.open(instance), options),
    replace: async (instance, content, base) => editing.replace(await repositories.open(instance), content, base),
    edit: async (instance, edits, base) => editing.edit(await repositories.open(instance), edits, base),
    async diff(instance, from, to) {
      const before = await files.at(instance, from);
      const after = to === undefined ? await files.working(instance) : await files.at(instance, to);
      return compare(before, after);
    },
    async diffModules(instance, module) {
      const repository = await repositories.open(instance);
      const { tree, files: read } = await files.working(instance);
      const locked = read?.lock.modules ?? {};
      const names = Object.keys(locked).sort();
      if (module !== undefined && !names.includes(module)) throw noSuchModule({ instance, module }, names);
      const differences: CopyDifference[] = [];
      for (const name of module === undefined ? names : [module]) {
        const lock = locked[name];
        if (lock === undefined) continue;
        const [newest] = await bases.versions(name);
        const unchanged = read?.copies.get(name)?.digest === lock.digest;
        const base = unchanged ? undefined : await lockedFiles({ repository, bases, copies }, name, lock);
        const own = base === undefined ? new Map() : await ownFiles(tree, name);
        const changes = base === undefined ? [] : changedPaths(base, own);
        differences.push({
          module: name,
          version: lock.version,
          base: unchanged || base !== undefined ? lock.version : undefined,
          newest: newest === undefined || newest.version === lock.version ? undefined : newest.version,
          files: await fileDifferences(
            changes,
            async (path) => base?.get(path)?.data,
            async (path) => own.get(path)?.data,
          ),
        });
      }
      return differences;
    },
    async pullModule(request) {
      const repository = await repositories.open(request.instance);
      // fetch what is missing from other nodes first, before others have to wait for the repository
      await pull(moving, repository, { ...request, dryRun: true });
      return repository.alone((alone) => pull(moving, alone, request));
    },
    async pushModule(request) {
      const repository = await repositories.open(request.instance);
      return repository.alone((alone) => push(moving, alone, request));
    },
  };
  return files;
}

async function compare(before: ReadFiles, after: ReadFiles) {
  const secrets = [before.files, after.files].map((side) => (side === undefined ? undefined : hiddenPaths(side)));
  const known = await Promise.all(secrets);
  // if one side cannot be read, it is unknown which of its values are secrets
  const hidden = known.includes(undefined) ? undefined : known.flatMap((paths) => paths ?? []);
  const side = (tree: Tree) => async (path: string) => {
    if (path !== SERVICE_FILE) return tree.read(path);
    return maskedService(await tree.read(path), hidden);
  };
  return {
    differences: before.files === undefined || after.files === undefined ? [] : await serviceDifferences(before.files, after.files),
    files: await fileDifferences(changesBetween(before.tree, after.tree), side(before.tree), side(after.tree)),
  };
}
