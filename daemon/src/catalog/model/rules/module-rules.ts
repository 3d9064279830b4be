/** Types that come from a module change only when it is installed or removed, which writes the Module in the same transaction. Pure. */
import { isRecord, jsonEqual } from '../../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Change } from '../../../store/object-store.types.ts';
import { typeSpecOf } from '../objects.ts';
import type { Refusal } from '../refusal.ts';
import type { Touched } from './touched.ts';

/** Judges the types in a transaction. Only the part that installs modules writes Module objects. */
export function judgeModuleTypes(changes: readonly Change[], types: readonly Touched[], refusal: Refusal): void {
  const written = writtenModules(changes);
  for (const { ref, before, after } of types) {
    const had = moduleOf(before);
    const has = moduleOf(after);
    if (had === undefined && has === undefined) continue;
    if (after !== undefined && before !== undefined && jsonEqual(before['spec'], after['spec'])) continue;
    if ([had, has].every((module) => module === undefined || written.has(module.name))) continue;
    if (had === undefined) {
      refusal
        .against(ref)
        .add('spec.module', 'is written when a module is installed, and cannot be written by hand', 'FieldValueForbidden');
    } else if (after === undefined) {
      throw new DtkdError('CONFLICT', `Type "${ref.name}" cannot be deleted: it comes from module ${had.name} ${had.version}`, {
        next: `Delete the module: dtkd module rm ${had.name}.`,
      });
    } else {
      refusal
        .against(ref)
        .add(
          'spec',
          `comes from module ${had.name} ${had.version}, and only that can change it: extend the type, or install a newer version of the module`,
          'FieldValueForbidden',
        );
    }
  }
}

function moduleOf(object: ApiObject | undefined): { name: string; version: string } | undefined {
  const spec = object === undefined ? undefined : typeSpecOf(object);
  // types of service instances have rules of their own
  return spec?.instance === undefined ? spec?.module : undefined;
}

/** Names of the modules that a transaction writes or deletes. */
function writtenModules(changes: readonly Change[]): Set<string> {
  const names = new Set<string>();
  for (const { ref, object, previous } of changes) {
    if (ref.plural !== 'modules') continue;
    for (const one of [object, previous]) {
      const name = isRecord(one?.['spec']) ? one['spec']['module'] : undefined;
      if (typeof name === 'string') names.add(name);
    }
  }
  return names;
}
