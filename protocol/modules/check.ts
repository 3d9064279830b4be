/** Judges a module as a whole, before anything of it is stored: pure. Says all that is wrong, by field. What only a node knows (its other types, its resources) is judged there. */
import type { Commands } from '../commands.ts';
import { DtkdError } from '../errors.ts';
import type { ModuleArchive, ModuleManifest, ModuleType } from '../module.ts';
import { type CommandSurroundings, commandFaults } from './command-check.ts';
import { faultsIn, type ModuleFault, manifestOf, moduleInvalid } from './manifest.ts';
import { typeObjectName } from './names.ts';

/** Types of one module at most. */
export const MAX_MODULE_TYPES = 1_024;
/** Types of a module above one another; a chain that goes on outside of it is judged by the node. */
const MAX_CHAIN = 64;

export interface CheckedModule {
  manifest: ModuleManifest;
  faults: ModuleFault[];
}

/** Reads and judges what is in an archive. Errors: INVALID or TOO_LARGE if there is no manifest that could be judged. */
export async function checkModule(archive: ModuleArchive): Promise<CheckedModule> {
  const manifest = await manifestOf(archive);
  return { manifest, faults: moduleFaults(manifest, new Set(archive.files.map(({ path }) => path))) };
}

/** The manifest of a module of which nothing is wrong. Errors: INVALID naming all that is. */
export async function soundModule(archive: ModuleArchive): Promise<ModuleManifest> {
  const { manifest, faults } = await checkModule(archive);
  if (faults.length > 0) throw moduleInvalid(faults);
  return manifest;
}

/** All faults of an archive, those of its manifest's form as well. Errors: TOO_LARGE. */
export async function allFaults(archive: ModuleArchive): Promise<ModuleFault[]> {
  try {
    return (await checkModule(archive)).faults;
  } catch (error) {
    if (!(error instanceof DtkdError) || error.code !== 'INVALID') throw error;
    const faults = faultsIn(error);
    return faults.length > 0 ? faults : [{ field: 'the file', message: error.message }];
  }
}

/** What is wrong with a manifest whose module has these files. */
export function moduleFaults(manifest: ModuleManifest, files: ReadonlySet<string>): ModuleFault[] {
  const faults: ModuleFault[] = [];
  const types = new Map<string, { name: string; type: ModuleType }>();
  const objects = new Map<string, string>();
  const entries = Object.entries(manifest.types ?? {});
  if (entries.length > MAX_MODULE_TYPES) faults.push({ field: 'types', message: `a module has at most ${MAX_MODULE_TYPES} types` });
  for (const [name, type] of entries.slice(0, MAX_MODULE_TYPES)) {
    const key = name.toLowerCase();
    const object = typeObjectName(name);
    const same = types.get(key)?.name ?? objects.get(object);
    if (key === 'node') faults.push({ field: `types.${name}`, message: 'Node stands for machines and cannot be a type' });
    else if (same !== undefined)
      faults.push({ field: `types.${name}`, message: `is the same as ${same}: types are told apart by letters and digits` });
    else {
      types.set(key, { name, type });
      objects.set(object, name);
    }
  }
  for (const { name, type } of types.values()) faults.push(...typeFaults(name, type, types, files));
  return faults;
}

type Types = ReadonlyMap<string, { name: string; type: ModuleType }>;

function typeFaults(name: string, type: ModuleType, types: Types, files: ReadonlySet<string>): ModuleFault[] {
  const field = `types.${name}`;
  const faults: ModuleFault[] = [];
  for (const [index, { from }] of (type.templates ?? []).entries()) {
    if (!files.has(from))
      faults.push({ field: `${field}.templates[${index}].from`, message: `the module has no file ${JSON.stringify(from)}` });
  }
  const targets = (type.templates ?? []).map(({ to }) => to);
  for (const [index, to] of targets.entries()) {
    if (targets.indexOf(to) !== index)
      faults.push({ field: `${field}.templates[${index}].to`, message: `two templates make ${JSON.stringify(to)}` });
  }
  const chain = chainIn(name, types);
  if ('cycle' in chain) {
    faults.push({ field: `${field}.extends`, message: `a type cannot extend itself: ${chain.cycle.join(' → ')}` });
    return faults;
  }
  const inherited: Commands = {};
  for (const above of chain.above) {
    for (const [key, command] of Object.entries(above.commands ?? {})) inherited[key] ??= command;
  }
  const surroundings: CommandSurroundings = { files, inherited, open: chain.open || type.abstract === true };
  for (const fault of commandFaults(type.commands ?? {}, surroundings)) {
    faults.push({ field: `${field}.commands.${fault.field}`, message: fault.message });
  }
  return faults;
}

/** Supertypes of a type within its module; `open` if they go on outside of it. */
function chainIn(name: string, types: Types): { above: ModuleType[]; open: boolean } | { cycle: string[] } {
  const above: ModuleType[] = [];
  const names = [name];
  const seen = new Set([name.toLowerCase()]);
  for (let next = types.get(name.toLowerCase())?.type.extends; next !== undefined; ) {
    if (seen.has(next.toLowerCase())) return { cycle: [...names, next] };
    const found = types.get(next.toLowerCase());
    if (found === undefined || above.length >= MAX_CHAIN) return { above, open: true };
    seen.add(next.toLowerCase());
    names.push(found.name);
    above.push(found.type);
    next = found.type.extends;
  }
  return { above, open: false };
}
