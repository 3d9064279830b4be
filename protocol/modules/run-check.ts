/**
 * Checks what would become of a module: finds what could be installed and staged, but that every converge would refuse or that would fail
 * on every node. Not applied to kept modules or those from elsewhere: a fault in an unused part is no reason to reject them.
 */
import type { ModuleArchive, ModuleManifest } from '../definitions/module.ts';
import { assemblyRunFaults } from './assembly-run-check.ts';
import { commandRunFaults } from './command-run-check.ts';
import { KnownTypes } from './known-types.ts';
import type { ModuleFault } from './manifest.ts';
import { templateFaults } from './template-check.ts';
import { tellApart } from './type-check.ts';
import { typeRunFaults } from './type-run-check.ts';
import { TypeTable } from './type-table.ts';

export async function runFaults(manifest: ModuleManifest, archive: ModuleArchive): Promise<ModuleFault[]> {
  const { own } = tellApart(manifest);
  const known = new KnownTypes(new TypeTable(own, manifest), { hasMore: Object.keys(manifest.dependencies ?? {}).length > 0 });
  const files = new Map(archive.files.map((file) => [file.path, file]));
  const assemblies = Object.entries(manifest.assemblies ?? {});
  const faults: ModuleFault[] = [];
  for (const type of own.values()) {
    faults.push(...(await typeRunFaults(type, known, { staged: assemblies.length > 0 })));
    faults.push(...templateFaults(type, known, files));
    faults.push(...(await commandRunFaults(type, known, files)));
  }
  for (const [name, assembly] of assemblies) faults.push(...(await assemblyRunFaults(name, assembly, known)));
  return faults;
}
