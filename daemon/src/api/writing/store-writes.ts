/** The API's transactions. Each checks again what it is about to replace. */
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import { refOfTarget, type Target } from '../request/request.ts';

/** The object has been written by somebody else since it was read. */
export const CHANGED = Symbol('changed');

/** Decides again, on what is stored when the decision counts (for a new object: on what will be stored); throws to refuse. */
export type Judge = (tx: Transaction, stored: ApiObject) => void | Promise<void>;

interface Writing {
  target: Target;
  object: ApiObject;
  dryRun: boolean;
  judge: Judge;
}

/** Stores a new object; undefined if one of that name already exists. */
export function storeCreated(store: ObjectStore, { target, object, dryRun, judge }: Writing): Promise<ApiObject | undefined> {
  return store.transact(
    async (tx) => {
      if ((await tx.get(refOfTarget(target))) !== undefined) return undefined;
      await judge(tx, object);
      return tx.put(object);
    },
    { dryRun },
  );
}

/** Replaces an object if it has not changed since it was read; undefined if it is gone. */
export function storeChanged(
  store: ObjectStore,
  read: ApiObject,
  { target, object, dryRun, judge }: Writing,
): Promise<ApiObject | undefined | typeof CHANGED> {
  return store.transact(
    async (tx) => {
      const stored = await tx.get(refOfTarget(target));
      if (stored === undefined) return undefined;
      if (!isSame(stored, read)) return CHANGED;
      await judge(tx, stored);
      return tx.put(object);
    },
    { dryRun },
  );
}

/** Deletes an object if it has not changed since it was read; undefined if it is gone. */
export function storeDeleted(
  store: ObjectStore,
  read: ApiObject,
  { target, dryRun, judge }: Omit<Writing, 'object'>,
): Promise<true | undefined | typeof CHANGED> {
  return store.transact(
    async (tx) => {
      const ref = refOfTarget(target);
      const stored = await tx.get(ref);
      if (stored === undefined) return undefined;
      if (!isSame(stored, read)) return CHANGED;
      await judge(tx, stored);
      await tx.delete(ref);
      return true;
    },
    { dryRun },
  );
}

function isSame(stored: ApiObject, read: ApiObject): boolean {
  return stored.metadata.uid === read.metadata.uid && stored.metadata.resourceVersion === read.metadata.resourceVersion;
}
