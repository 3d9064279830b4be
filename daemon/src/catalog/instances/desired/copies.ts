/** Checks that every module that is used has a readable copy. */
import { COPIES_DIRECTORY, LOCK_FILE } from '../../../../../protocol/definitions/service-file.ts';
import type { ServiceFiles } from '../instances.types.ts';
import type { Findings } from './findings.ts';

/**
 * False if a copy is missing; unknown types are then not reported. Reports places with the same words as reading the files does,
 * which reports the same faults in more detail.
 */
export function judgeCopies({ service, lock, copies, place }: ServiceFiles, findings: Findings): boolean {
  const missing = new Map<string, string>();
  for (const name of Object.keys(lock.modules)) missing.set(`${LOCK_FILE} ${name}`, name);
  missing.set(place(['module']), service.module);
  for (const { name, manifest } of copies.values()) {
    for (const needed of Object.keys(manifest.dependencies ?? {}))
      if (!copies.has(needed)) missing.set(`${COPIES_DIRECTORY}/${name}`, needed);
  }
  let complete = true;
  for (const [where, name] of missing) {
    if (copies.has(name)) continue;
    complete = false;
    findings.addAt('MISSING_MODULE', where, `there is no valid copy of ${name}`, `dtkd service pull-module ${service.name} ${name}`);
  }
  return complete;
}
