/** The transactions of the API: each looks again at what it is about to replace. */
import type { ApiObject } from '../../../protocol/objects.ts';
import type { ObjectStore, Transaction } from '../store/object-store.types.ts';
import { refOfTarget, type Target } from './request.ts';

/** Somebody else has written the object since it was read. */
export const CHANGED = Symbol('changed');

/** Runs a transaction; a dry run answers what it would, and stores nothing. */
export function transact<T>(store: ObjectStore, dryRun: boolean, run: (tx: Transaction) => Promise<T>): Promise<T> {
  return store.transact(run, { dryRun });
}

/** Stores a new object; undefined if there is one of that name already. */
export function storeCreated(store: ObjectStore, target: Target, object: ApiObject, dryRun: boolean): Promise<ApiObject | undefined> {
  return transact(store, dryRun, async (tx) => ((await tx.get(refOfTarget(target))) === undefined ? tx.put(object) : undefined));
}

/** Replaces an object that is still as it was read; undefined if it is gone. */
export function storeChanged(
  store: ObjectStore,
  target: Target,
  read: ApiObject,
  object: ApiObject,
  dryRun: boolean,
): Promise<ApiObject | undefined | typeof CHANGED> {
  return transact(store, dryRun, async (tx) => {
    const stored = await tx.get(refOfTarget(target));
    if (stored === undefined) return undefined;
    return isSame(stored, read) ? tx.put(object) : CHANGED;
  });
}

/** Deletes an object that is still as it was read; undefined if it is gone. */
export function storeDeleted(
  store: ObjectStore,
  target: Target,
  read: ApiObject,
  dryRun: boolean,
): Promise<true | undefined | typeof CHANGED> {
  return transact(store, dryRun, async (tx) => {
    const ref = refOfTarget(target);
    const stored = await tx.get(ref);
    if (stored === undefined) return undefined;
    if (!isSame(stored, read)) return CHANGED;
    await tx.delete(ref);
    return true;
  });
}

function isSame(stored: ApiObject, read: ApiObject): boolean {
  return stored.metadata.uid === read.metadata.uid && stored.metadata.resourceVersion === read.metadata.resourceVersion;
}
