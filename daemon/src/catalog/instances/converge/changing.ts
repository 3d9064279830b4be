/** Changes to an instance's object, within transactions. */

import { isDeepStrictEqual } from 'node:util';
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import type { ObjectStore, Transaction } from '../../../store/object-store.types.ts';
import { appsOf } from '../service-apps/app-rows.ts';
import { appliedOf } from '../tasks/applied-rows.ts';
import { appliedStatus, changedInstance, instanceOf, instanceRef } from './instance-object.ts';

/** As `changedInstance`, on the stored object. Returns false and writes nothing if there is no such instance. */
export async function changeInstance(
  tx: Transaction,
  { node }: { node: string },
  name: string,
  change: Parameters<typeof changedInstance>[1],
  service?: ServiceFile,
): Promise<boolean> {
  const found = instanceOf(await tx.get(instanceRef(node, name)));
  if (found === undefined) return false;
  await tx.put(changedInstance(found, change, service));
  return true;
}

/** Updates what the object says is applied, where a finished task has left it out of date. */
export async function tellApplied(ports: { store: ObjectStore; node: string }, name: string): Promise<void> {
  await ports.store.transact(async (tx) => {
    const found = instanceOf(await tx.get(instanceRef(ports.node, name)));
    if (found === undefined) return;
    const { resources, nodes, apps, drift } = found.status;
    const now = await appliedNow(ports, name);
    if (!isDeepStrictEqual({ resources, nodes, apps, drift }, now)) await tx.put(changedInstance(found, now));
  });
}

/** The part of the status that describes what is applied, from the store. */
export async function appliedNow(
  { store: { kv } }: { store: Pick<ObjectStore, 'kv'> },
  name: string,
): Promise<ReturnType<typeof appliedStatus>> {
  return appliedStatus((await appliedOf(kv, name)).values(), await appsOf(kv, name));
}
