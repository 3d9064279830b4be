/**
 * Pulls versions of a base into an instance, and pushes an instance's copies as versions of a base. Earlier edits are committed
 * first, so that nothing is lost.
 */
import semver from 'semver';
import { MANIFEST_FILE } from '../../../../../protocol/definitions/module.ts';
import { LOCK_FILE, type LockedModule, type LockFile } from '../../../../../protocol/definitions/service-file.ts';
import { compareVersions } from '../../../../../protocol/definitions/version-order.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { packArchive } from '../../../../../protocol/modules/archive.ts';
import { soundModule } from '../../../../../protocol/modules/check.ts';
import { isInRange } from '../../../../../protocol/modules/resolve.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import type { LoadedModule, ResolvedModules } from '../../modules/ports.ts';
import { assertSecretNames } from '../editing/secret-names.ts';
import { editYaml } from '../editing/yaml-edit.ts';
import type { FileWrite, Repository } from '../repository/repository.types.ts';
import { lockText } from '../staging/service-text.ts';
import { lockedFiles, ownFiles } from './bases.ts';
import { type CopyReader, copyPath } from './copies.ts';
import { fileDifferences } from './file-differences.ts';
import type { CopyOutcome, CopyRequest, FileDifference, ModuleBases } from './files.types.ts';
import type { FileReader } from './read-files.ts';
import { changedPaths, type FileSet, fileSet, merge } from './three-way.ts';

export interface MovingOptions {
  bases: ModuleBases;
  copies: CopyReader;
  reader: FileReader;
}

/** Pulls a version of the base into the instance. */
export async function pull(
  { bases, copies, reader }: MovingOptions,
  repository: Repository,
  request: CopyRequest & { force?: boolean | undefined },
): Promise<CopyOutcome> {
  const { module, principal, signal, author, dryRun, force } = request;
  const { lock, tree } = await readLock(reader, repository, request);
  const locked = own(lock.modules, module);
  const version = request.version ?? (await bases.versions(module))[0]?.version;
  const resolved = await bases.resolve({ name: module, version }, await lockHere(bases, lock, module), { principal, signal });
  const { manifest, archive, ref } = resolved.root;
  const ours = await ownFiles(tree, module);
  const base = locked === undefined ? undefined : await lockedFiles({ repository, bases, copies }, module, locked);
  const { files, conflicts } = merge(base, ours, fileSet(archive.files));
  if (conflicts.length > 0 && force !== true) throw changedOnBothSides(request, manifest.version, conflicts);
  await soundModule({ version: 1, files: packable(files) });
  const added = modulesToAdd(request, lock, resolved);
  const differences = await differencesOf(ours, files);
  const outcome = { module, version: manifest.version, files: differences };
  const nextLock: LockFile = { ...lock, modules: { ...lock.modules } };
  nextLock.modules[module] = { version: manifest.version, digest: ref.digest, publisher: ref.publisher };
  for (const [name, one] of added) {
    nextLock.modules[name] = { version: one.manifest.version, digest: one.ref.digest, publisher: one.ref.publisher };
  }
  const writes = [
    ...writesOf(module, ours, files),
    ...[...added].flatMap(([name, one]) => writesOf(name, new Map(), fileSet(one.archive.files))),
  ];
  const same = writes.length === 0 && locked?.digest === ref.digest;
  if (dryRun === true || same) return outcome;
  const title = `${module} ${manifest.version}`;
  await repository.commit({ message: `Edit before pulling ${title}`, author });
  const lockWrite = { path: LOCK_FILE, data: new Uint8Array(Buffer.from(await lockText(nextLock))) };
  const { commit } = await repository.commitFiles([...writes, lockWrite], { message: `Pull ${title}`, author });
  return { ...outcome, commit };
}

/** Pushes the instance's copy as a version of the base. */
export async function push({ bases, copies, reader }: MovingOptions, repository: Repository, request: CopyRequest): Promise<CopyOutcome> {
  const { module, principal, author, dryRun } = request;
  const { lock, tree } = await readLock(reader, repository, request);
  const locked = own(lock.modules, module);
  const ours = await ownFiles(tree, module);
  if (ours.size === 0) throw noSuchModule(request, Object.keys(lock.modules));
  const archive = { version: 1 as const, files: packable(ours) };
  const manifest = await soundModule(archive);
  const base = locked === undefined ? undefined : await lockedFiles({ repository, bases, copies }, module, locked);
  const changed = base === undefined || changedPaths(base, ours).length > 0;
  if (!changed && request.version === undefined) return { module, version: locked?.version ?? manifest.version, files: [] };
  const version = request.version ?? nextPatch(manifest.version, locked, await bases.versions(module));
  const pushed = new Map(ours);
  const text = Buffer.from(ours.get(MANIFEST_FILE)?.data ?? new Uint8Array()).toString('utf8');
  const written = await editYaml(text, [{ path: ['version'], value: version }], copyPath(module, MANIFEST_FILE));
  pushed.set(MANIFEST_FILE, { path: MANIFEST_FILE, executable: false, data: new Uint8Array(Buffer.from(written)) });
  const outcome = { module, version, files: await differencesOf(base ?? new Map(), pushed) };
  if (dryRun === true) return outcome;
  const title = `${module} ${version}`;
  const there = (await bases.versions(module)).find((one) => one.version === version);
  const bytes = packArchive(packable(pushed));
  const ref = await bases.install(principal, bytes);
  if (there !== undefined && there.digest !== ref.digest) throw new DtkdError('CONFLICT', `${title} exists with other content`);
  await repository.commit({ message: `Edit before pushing ${title}`, author });
  const modules = { ...lock.modules, [module]: { version, digest: ref.digest, publisher: ref.publisher } };
  const lockData = new Uint8Array(Buffer.from(await lockText({ ...lock, modules })));
  const writes: FileWrite[] = [...writesOf(module, ours, pushed), { path: LOCK_FILE, data: lockData }];
  const { commit } = await repository.commitFiles(writes, { message: `Push ${title}`, author });
  return { ...outcome, commit };
}

async function readLock(reader: FileReader, repository: Repository, { instance }: CopyRequest) {
  const { tree } = await repository.status();
  const { files, violations } = await reader.read(instance, tree);
  if (files !== undefined && tree.faults.length === 0) {
    // pull and push commit earlier edits, which must not contain secrets
    await assertSecretNames(files);
    return { lock: files.lock, tree };
  }
  const [first] = violations;
  throw new DtkdError('INVALID', `the files of ${instance} cannot be read: ${first?.where}: ${first?.message}`, {
    next: 'Correct them first; "dtkd service status" lists all errors.',
    details: { violations },
  });
}

/** The lock without the module `but` and without versions that are not on the node: the instance's other modules keep their versions. */
async function lockHere(bases: ModuleBases, lock: LockFile, but: string): Promise<LockFile> {
  const modules: Record<string, LockedModule> = {};
  for (const [name, locked] of Object.entries(lock.modules)) {
    if (name !== but && (await bases.get(locked.digest)) !== undefined) modules[name] = locked;
  }
  return { ...lock, modules };
}

/**
 * Modules that the new version needs and the instance lacks. Errors: CONFLICT if the instance has one of the needed modules in an
 * unsuitable version.
 */
function modulesToAdd({ instance, module }: CopyRequest, lock: LockFile, { modules, root }: ResolvedModules): Map<string, LoadedModule> {
  const added = new Map([...modules].filter(([name]) => name !== module && own(lock.modules, name) === undefined));
  for (const { manifest } of [root, ...added.values()]) {
    for (const [name, range] of Object.entries(manifest.dependencies ?? {})) {
      const there = own(lock.modules, name);
      if (there === undefined || name === module || isInRange(there.version, range)) continue;
      throw new DtkdError(
        'CONFLICT',
        `${manifest.module} ${manifest.version} needs ${name} ${range}, and ${instance} has ${there.version}`,
        {
          next: `Pull that first: dtkd service pull-module ${instance} ${name}`,
        },
      );
    }
  }
  return added;
}

function changedOnBothSides({ instance, module }: CopyRequest, version: string, conflicts: readonly string[]): DtkdError {
  const shown = conflicts.slice(0, 10).join(', ');
  return new DtkdError(
    'CONFLICT',
    `${conflicts.length === 1 ? 'a file was' : `${conflicts.length} files were`} changed here and in ${module} ${version}: ${shown}${conflicts.length > 10 ? ', …' : ''}`,
    {
      next: `Nothing was changed. Look at them with "dtkd service diff-module ${instance} ${module}"; --force uses the files of the module.`,
      details: { files: conflicts },
    },
  );
}

/** The patch after the newest known version. */
function nextPatch(version: string, locked: LockedModule | undefined, there: readonly { version: string }[]): string {
  const known = [version, ...(locked === undefined ? [] : [locked.version]), ...there.map((one) => one.version)];
  const newest = known.reduce((a, b) => (compareVersions(a, b) < 0 ? b : a));
  // the manifest already names a new version
  if (newest === version && locked?.version !== version && !there.some((one) => one.version === version)) return version;
  const next = semver.inc(newest, 'patch');
  if (next !== null) return next;
  throw new DtkdError('INVALID', `there is no version after ${newest}`, { next: 'Give the version with --version.' });
}

export function noSuchModule({ instance, module }: { instance: string; module: string }, names: readonly string[]): DtkdError {
  const near = nearMiss(module, names);
  return new DtkdError('NOT_FOUND', `the service ${instance} has no module ${module}`, {
    next: near === undefined ? `It has: ${names.slice(0, 20).join(', ') || 'none'}.` : `Did you mean ${near}?`,
  });
}

/** The writes that bring a copy to these files. */
function writesOf(module: string, before: FileSet, after: FileSet): FileWrite[] {
  return changedPaths(before, after).map(({ path }) => {
    const file = after.get(path);
    return { path: copyPath(module, path), data: file?.data, executable: file?.executable };
  });
}

function differencesOf(before: FileSet, after: FileSet): Promise<FileDifference[]> {
  return fileDifferences(
    changedPaths(before, after),
    async (path) => before.get(path)?.data,
    async (path) => after.get(path)?.data,
  );
}

function packable(files: FileSet): { path: string; executable: boolean; data: Uint8Array<ArrayBuffer> }[] {
  return [...files.values()].map(({ path, executable, data }) => ({ path, executable, data: new Uint8Array(data) }));
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
