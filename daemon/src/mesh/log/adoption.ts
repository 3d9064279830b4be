/** Stores the objects of a merged state of this node's log as own objects. */
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { metadataAt, refOfKey } from './object-place.ts';
import { type Published, parseKey, parsePublished, publishedObject, shownKind } from './published-object.ts';

export interface Adoption {
  ours: ReadonlyMap<string, Published>;
  merged: ReadonlyMap<string, Published>;
  /** The domain's name. */
  domain: string;
  /** This node's name. */
  namespace: string;
}

/** Makes the store agree with the merged state. Returns that state as the store would now publish it. */
export async function adopt(tx: Transaction, { ours, merged, domain, namespace }: Adoption): Promise<Map<string, Published>> {
  const state = new Map<string, Published>();
  for (const key of ours.keys()) {
    const parsed = merged.has(key) ? undefined : parseKey(key);
    const kind = parsed === undefined ? undefined : kindByPlural(parsed.group, parsed.plural);
    if (parsed !== undefined && kind?.shared === true) await store(tx, refOfKey(parsed, namespace), kind, undefined, domain);
  }
  for (const [key, value] of merged) {
    const parsed = parseKey(key);
    const kind = parsed === undefined ? undefined : shownKind(parsed, value.o.apiVersion);
    const same = JSON.stringify(ours.get(key)?.o) === JSON.stringify(value.o);
    const object = same ? undefined : parsePublished(key, value, domain);
    // Objects that only a later version can read stay as they were published.
    if (parsed === undefined || kind === undefined || object === undefined) {
      state.set(key, value);
      continue;
    }
    const stored = await store(tx, refOfKey(parsed, namespace), kind, object, domain);
    if (stored !== undefined) state.set(key, { b: value.b, o: publishedObject(kind, stored, domain) });
  }
  return state;
}

async function store(
  tx: Transaction,
  ref: ObjectRef,
  kind: Kind,
  published: ApiObject | undefined,
  domain: string,
): Promise<ApiObject | undefined> {
  const origin = await tx.originOf(ref);
  if (origin !== undefined && origin !== 'own') return undefined;
  const stored = await tx.get(ref);
  const object = kind.adopted === undefined ? published : kind.adopted(published, domain, stored);
  if (object === undefined) {
    await tx.delete(ref);
    return undefined;
  }
  return tx.put({ ...object, metadata: metadataAt(ref, object.metadata) });
}
