/** Keeps one Namespace object for this node and for every member whose objects it may show. */
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';

const NAMESPACES = { group: '', plural: 'namespaces' } as const;
/** Far above the members of all domains of one node. */
const LIST_LIMIT = 100_000;

/** Creates what is missing and deletes what no member bears any more; writes nothing if all is up to date. */
export async function keepNamespaces(store: ObjectStore, names: ReadonlySet<string>): Promise<void> {
  const { items } = await store.list({ ...NAMESPACES, limit: LIST_LIMIT });
  const present = new Set(items.map((item) => item.metadata.name));
  const missing = [...names].filter((name) => !present.has(name));
  const stale = [...present].filter((name) => !names.has(name));
  if (missing.length === 0 && stale.length === 0) return;
  await store.transact(async (tx) => {
    for (const name of stale) await tx.delete({ ...NAMESPACES, namespace: '', name });
    for (const name of missing) await tx.put(namespaceObject(name), { origin: 'projection' });
  });
}

function namespaceObject(name: string): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
    spec: {},
    status: { phase: 'Active' },
  };
}
