/** Judges a module as a whole, before anything of it is stored: pure. Says all that is wrong, by field. What only a node knows (its other types, its resources) is judged there. */
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

/** Reads and judges what is in an archive. Errors: INVALID or TOO_LARGE if there is no manifest that could be judged. */
export async function checkModule(archive: ModuleArchive): Promise<CheckedModule> {
  const manifest = await manifestOf(archive);
  const faults = moduleFaults(manifest, new Set(archive.files.map(({ path }) => path)));
  return { manifest, faults: [...faults, ...(await lockFaults(archive))] };
}

/** A lock that nobody could keep to. */
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

/** The manifest of a module of which nothing is wrong. Errors: INVALID naming all that is. */
export async function soundModule(archive: ModuleArchive): Promise<ModuleManifest> {
  const { manifest, faults } = await checkModule(archive);
  if (faults.length > 0) throw moduleInvalid(faults);
  return manifest;
}

/** The same of one that is new here: nothing of it may be such that it could never be run, either. Errors: INVALID naming all that is wrong. */
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

/** All faults of an archive, those of its manifest's form as well. Errors: TOO_LARGE. */
export async function allFaults(archive: ModuleArchive): Promise<ModuleFault[]> {
  try {
    return (await checkNew(archive)).faults;
  } catch (error) {
    if (!(error instanceof DtkdError) || error.code !== 'INVALID') throw error;
    const faults = faultsIn(error);
    return faults.length > 0 ? faults : [{ field: 'the file', message: error.message }];
  }
}

/** Numbers in a version do not begin with 0 (Semantic Versioning 2.0.0 §9). What is kept and fetched may have such a version from before this was looked at; nothing new gets one. */
export function versionFaults({ version }: Pick<ModuleManifest, 'version'>): ModuleFault[] {
  const [, tail = ''] = /-(.*)/.exec(version) ?? [];
  const wrong = tail.split('.').find((part) => /^0\d+$/.test(part));
  if (wrong === undefined) return [];
  return [
    { field: 'version', message: `a number in a version does not begin with 0: write ${Number(wrong)} for "${wrong}" in "${version}"` },
  ];
}

/** Assemblies of one module at most. */
const MAX_ASSEMBLIES = 256;

/** What is wrong with a manifest whose module has these files. */
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
