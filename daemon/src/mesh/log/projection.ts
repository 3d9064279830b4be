/**
 * Shows an author's objects in the object store, under the author's name here, and remembers which (rows `o/`). An object that was not put
 * there for this author is never overwritten, moved or deleted on its behalf, whatever names the author chooses.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import { AUTHOR_ANNOTATION } from '../../../../protocol/rights/principal.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { metadataAt, refOfKey } from './object-place.ts';
import { parseKey } from './published-object.ts';
import { objectRow, objectRows } from './rows.ts';

export interface Place {
  /** Prefix of the author's rows. */
  prefix: string;
  author: PeerKey;
  namespace: string;
}

/** Keys of an author's objects in the store, with their namespaces. Nothing of the author may be written meanwhile. */
export async function readShown(kv: Kv, prefix: string): Promise<Map<string, string>> {
  const shown = new Map<string, string>();
  const begin = objectRows(prefix);
  for (let gte = begin; ; ) {
    const page = await kv.page({ gte, lt: prefixEnd(begin) });
    for (const [key, value] of page) shown.set(key.slice(begin.length), text(value));
    const last = page.at(-1);
    if (last === undefined) return shown;
    gte = `${last[0]}\0`;
  }
}

/** Shows one object as it is now, or hides it (undefined). False if an object of somebody else has its place. */
export async function show(tx: Transaction, place: Place, key: string, object: ApiObject | undefined): Promise<boolean> {
  const row = await tx.getRow(objectRow(place.prefix, key));
  const before = row === undefined ? undefined : text(row);
  if (before !== undefined && (object === undefined || before !== place.namespace)) await hide(tx, place.prefix, key, before);
  if (object === undefined) return true;
  const ref = refOf(key, place.namespace);
  if (ref === undefined) return true;
  const origin = await tx.originOf(ref);
  const ours = before === place.namespace;
  if (origin !== undefined && !(ours && origin === 'replica')) {
    if (ours) tx.delRow(objectRow(place.prefix, key));
    return false;
  }
  const metadata = metadataAt(ref, object.metadata);
  if (kindByPlural(ref.group, ref.plural)?.attributed)
    metadata.annotations = { ...metadata.annotations, [AUTHOR_ANNOTATION]: place.author };
  await tx.put({ ...object, metadata }, { origin: 'replica' });
  if (!ours) tx.putRow(objectRow(place.prefix, key), Buffer.from(place.namespace));
  return true;
}

/** Removes one object of the author from the store, where it is under `namespace`. */
export async function hide(tx: Transaction, prefix: string, key: string, namespace: string): Promise<void> {
  tx.delRow(objectRow(prefix, key));
  const ref = refOf(key, namespace);
  if (ref !== undefined && (await tx.originOf(ref)) === 'replica') await tx.delete(ref);
}

function refOf(key: string, namespace: string): ObjectRef | undefined {
  const parsed = parseKey(key);
  return parsed === undefined ? undefined : refOfKey(parsed, namespace);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
