/** Changes of an instance's object within transactions. */

import type { ServiceFile } from '../../../../../protocol/service-file.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import { changedInstance, instanceOf, instanceRef } from './instance-object.ts';

/** As `changedInstance`, upon what is stored; false, and nothing is written, if there is no such instance. */
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
