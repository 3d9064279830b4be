/** Removes versions of modules, the active one with its types. Refuses while its types are in use, or the version is released. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { COUNTED } from '../model/limits.ts';
import { refIn, typeNameOf } from '../model/objects.ts';
import type { HandlerContext } from '../model/ports.ts';
import { inUse, withoutUnseen } from '../model/refusal.ts';
import { dependents, resourcesOfType, subtypesOf } from '../model/rules/dependents.ts';
import { assemblyRefs } from './assemblies.ts';
import type { InstallingOptions } from './installing.ts';
import { typesOfModule } from './module-types.ts';
import { moduleFieldsOf, moduleRef, releaseRef } from './types.ts';

/** Deletes a version, and its types if it is active. Errors: CONFLICT naming what needs them, FORBIDDEN, NOT_FOUND. */
export async function removeModule(
  options: InstallingOptions,
  object: ApiObject,
  { principal, dryRun }: HandlerContext,
): Promise<ApiObject> {
  const { store, node, rights, library } = options;
  const ref = moduleRef(node, object.metadata.name);
  try {
    const removed = await store.transact(
      async (tx) => {
        const stored = await tx.get(ref);
        if (stored?.metadata.uid !== object.metadata.uid) throw new DtkdError('NOT_FOUND', `modules "${ref.name}" is gone`);
        await assertNotReleased(tx, node, ref.name);
        const fields = moduleFieldsOf(stored);
        const types = fields?.active === false ? [] : await typesOfModule(tx, node, fields);
        await assertUnused(tx, node, ref, types);
        for (const type of types) {
          await rights.assertMay(principal, { plural: 'types', name: type.metadata.name, before: type }, tx);
          await tx.delete(refIn(node, 'types', type.metadata.name));
        }
        for (const assembly of assemblyRefs(node, fields)) await tx.delete(assembly);
        await tx.delete(ref);
        return stored;
      },
      { dryRun },
    );
    const digest = moduleFieldsOf(removed)?.digest;
    if (!dryRun && digest !== undefined) await library.release(digest);
    return removed;
  } catch (error) {
    throw principal.type === 'operator' ? error : await withoutUnseen(error, rights.sees(principal, store));
  }
}

async function assertNotReleased(tx: Transaction, node: string, name: string): Promise<void> {
  if ((await tx.get(releaseRef(node, name))) === undefined) return;
  throw new DtkdError('CONFLICT', `Module "${name}" is published, and others may fetch it`, {
    next: 'Unpublish it first: dtkd module unpublish NAME@VERSION.',
  });
}

/** Refuses to remove types that have resources, or that other types extend. */
async function assertUnused(tx: Transaction, node: string, module: ObjectRef, types: readonly ApiObject[]): Promise<void> {
  const own = new Set(types.map(({ metadata }) => metadata.name));
  const users: ObjectRef[] = [];
  for (const type of types) {
    const name = typeNameOf(type) ?? type.metadata.name;
    users.push(...(await resourcesOfType(tx, node, name, COUNTED + 1)));
    users.push(...(await subtypesOf(tx, node, name, COUNTED + 1)).filter((ref) => !own.has(ref.name)));
    if (users.length > COUNTED) break;
  }
  if (users.length === 0) return;
  throw inUse(module, 'cannot be deleted: its types are in use', dependents(users), 'Delete these first, or change their types.');
}
