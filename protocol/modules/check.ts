/**
 * Checks a whole module before any of it is stored. Pure. Reports everything that is wrong, by field. What only a node knows (its other
 * types, its resources) is checked there.
 */
import type { ModuleArchive, ModuleManifest } from '../definitions/module.ts';
import { LOCK_FILE } from '../definitions/service-file.ts';
import { DtkdError } from '../errors.ts';
import { assemblyFaults } from './assembly-check.ts';
import { dependencyFaults } from './dependency-check.ts';
import { readLock } from './lock.ts';
import { faultsIn, type ModuleFault, manifestOf, moduleInvalid } from './manifest.ts';
import { runFaults } from './run-check.ts';
import { tellApart, typeFaults } from './type-check.ts';
import { TypeTable } from './type-table.ts';

export { MAX_MODULE_TYPES } from './type-check.ts';

export interface CheckedModule {
  manifest: ModuleManifest;
  faults: ModuleFault[];
}

/** Reads and checks an archive. Errors: INVALID or TOO_LARGE if there is no manifest to check. */
export async function checkModule(archive: ModuleArchive): Promise<CheckedModule> {
  const manifest = await manifestOf(archive);
  const faults = moduleFaults(manifest, new Set(archive.files.map(({ path }) => path)));
  return { manifest, faults: [...faults, ...(await lockFaults(archive))] };
}

/** Reports a lock that cannot be used. */
async function lockFaults({ files }: ModuleArchive): Promise<ModuleFault[]> {
  const file = files.find(({ path }) => path === LOCK_FILE);
  if (file === undefined) return [];
  try {
    await readLock(file.data);
    return [];
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    return [{ field: LOCK_FILE, message: error.message }];
  }
}

/** Returns the manifest of a module without faults. Errors: INVALID naming all faults. */
export async function soundModule(archive: ModuleArchive): Promise<ModuleManifest> {
  const { manifest, faults } = await checkModule(archive);
  if (faults.length > 0) throw moduleInvalid(faults);
  return manifest;
}

/**
 * Like `soundModule`, for a module that is new here: none of its parts may be impossible to run, either. Errors: INVALID naming all
 * faults.
 */
export async function newModule(archive: ModuleArchive): Promise<ModuleManifest> {
  const { manifest, faults } = await checkNew(archive);
  if (faults.length > 0) throw moduleInvalid(faults);
  return manifest;
}

async function checkNew(archive: ModuleArchive): Promise<CheckedModule> {
  const { manifest, faults } = await checkModule(archive);
  const told = new Set(faults.map(({ field }) => field));
  const more = await runFaults(manifest, archive);
  return { manifest, faults: [...versionFaults(manifest), ...faults, ...more.filter(({ field }) => !told.has(field))] };
}

/** Returns all faults of an archive, including those in the form of its manifest. Errors: TOO_LARGE. */
export async function allFaults(archive: ModuleArchive): Promise<ModuleFault[]> {
  try {
    return (await checkNew(archive)).faults;
  } catch (error) {
    if (!(error instanceof DtkdError) || error.code !== 'INVALID') throw error;
    const faults = faultsIn(error);
    return faults.length > 0 ? faults : [{ field: 'the file', message: error.message }];
  }
}

/**
 * Numbers in a version must not begin with 0 (Semantic Versioning 2.0.0 §9). Kept and fetched modules may have such versions from before
 * this was checked; new ones may not.
 */
export function versionFaults({ version }: Pick<ModuleManifest, 'version'>): ModuleFault[] {
  const [, tail = ''] = /-(.*)/.exec(version) ?? [];
  const wrong = tail.split('.').find((part) => /^0\d+$/.test(part));
  if (wrong === undefined) return [];
  return [
    { field: 'version', message: `a number in a version does not begin with 0: write ${Number(wrong)} for "${wrong}" in "${version}"` },
  ];
}

/** Maximum number of assemblies per module. */
const MAX_ASSEMBLIES = 256;

/** Returns the faults of a manifest whose module has these files. */
export function moduleFaults(manifest: ModuleManifest, files: ReadonlySet<string>): ModuleFault[] {
  const { own, faults } = tellApart(manifest);
  const types = new TypeTable(own, manifest);
  faults.push(...dependencyFaults(manifest));
  for (const type of own.values()) faults.push(...typeFaults(type, types, files));
  const assemblies = Object.entries(manifest.assemblies ?? {});
  if (assemblies.length > MAX_ASSEMBLIES)
    faults.push({ field: 'assemblies', message: `a module has at most ${MAX_ASSEMBLIES} assemblies` });
  for (const [name, assembly] of assemblies.slice(0, MAX_ASSEMBLIES)) faults.push(...assemblyFaults(name, assembly, types));
  return faults;
}
