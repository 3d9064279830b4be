/** Checks the declared dependencies of a module. Pure. Whether such modules exist is up to the node. */
import semver from 'semver';
import type { ModuleManifest } from '../definitions/module.ts';
import type { ModuleFault } from './manifest.ts';
import { MAX_GRAPH_MODULES } from './resolve.ts';

export function dependencyFaults({ module, dependencies = {} }: Pick<ModuleManifest, 'module' | 'dependencies'>): ModuleFault[] {
  const faults: ModuleFault[] = [];
  const entries = Object.entries(dependencies);
  if (entries.length >= MAX_GRAPH_MODULES) {
    faults.push({ field: 'dependencies', message: `a module can depend on fewer than ${MAX_GRAPH_MODULES} others` });
  }
  for (const [name, range] of entries.slice(0, MAX_GRAPH_MODULES)) {
    const field = `dependencies.${name}`;
    if (name === module) faults.push({ field, message: 'a module cannot depend on itself' });
    if (semver.validRange(range) === null) {
      faults.push({ field, message: `${JSON.stringify(range)} is not a range of versions: write it like ^1.2.0, >=1 <3 or *` });
    }
  }
  return faults;
}
