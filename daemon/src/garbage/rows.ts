/**
 * Rows of the collector: `g/d/UID/GROUP/PLURAL/NAMESPACE/NAME` for each owner that an object of this node names, and
 * `g/w/GROUP/PLURAL/NAMESPACE/NAME` for each object that waits for its dependents before it is deleted. They have no values, and are
 * written in the batch of the change that they reflect.
 */
import { ownersOf } from '../../../protocol/kinds/owners.ts';
import { isForDependents } from '../../../protocol/objects/finalizers.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import { type Kv, prefixEnd } from '../store/kv.ts';
import type { Change, Transaction } from '../store/object-store.types.ts';
import { PAGE } from './limits.ts';

const DEPENDENTS = 'g/d/';
const WAITING = 'g/w/';
const NOTHING = new Uint8Array();

/** True for an object that is being deleted and waits for its dependents. */
export function awaitsDependents({ metadata }: ApiObject): boolean {
  return metadata.deletionTimestamp !== undefined && metadata.finalizers?.some(isForDependents) === true;
}

/** Updates the rows for a change. */
export function writeRows(change: Change, tx: Transaction): void {
  if (change.origin !== 'own') return;
  const before = change.previous === undefined ? new Set<string>() : keysOf(change.ref, change.previous);
  const after = change.type === 'DELETED' ? new Set<string>() : keysOf(change.ref, change.object);
  for (const key of before) if (!after.has(key)) tx.delRow(key);
  for (const key of after) if (!before.has(key)) tx.putRow(key, NOTHING);
}

function keysOf(ref: ObjectRef, object: ApiObject): Set<string> {
  const keys = new Set<string>();
  for (const { uid } of ownersOf(object)) keys.add(ownerPrefix(uid) + placeText(ref));
  if (awaitsDependents(object)) keys.add(WAITING + placeText(ref));
  return keys;
}

/** The prefix of an owner's rows. A uid may be any text, so it is encoded. */
function ownerPrefix(uid: string): string {
  return `${DEPENDENTS}${encodeURIComponent(uid.toWellFormed())}/`;
}

/** An object's reference as text. */
export function placeText({ group, plural, namespace, name }: ObjectRef): string {
  return `${group}/${plural}/${namespace}/${name}`;
}

/** Reads `placeText`. */
export function refIn(text: string): ObjectRef {
  const [group = '', plural = '', namespace = '', name = ''] = text.split('/');
  return { group, plural, namespace, name };
}

/** The objects that name an owner, page by page. */
export function dependentsOf(kv: Pick<Kv, 'page'>, uid: string): AsyncGenerator<ObjectRef[]> {
  const prefix = ownerPrefix(uid);
  return pages(kv, prefix, (key) => refIn(key.slice(prefix.length)));
}

/** All objects that wait for dependents or name an owner, page by page. One with several owners comes several times. */
export async function* allRows(kv: Pick<Kv, 'page'>): AsyncGenerator<ObjectRef[]> {
  yield* pages(kv, WAITING, (key) => refIn(key.slice(WAITING.length)));
  yield* pages(kv, DEPENDENTS, (key) => refIn(key.slice(key.indexOf('/', DEPENDENTS.length) + 1)));
}

async function* pages(kv: Pick<Kv, 'page'>, prefix: string, read: (key: string) => ObjectRef): AsyncGenerator<ObjectRef[]> {
  for (let gte = prefix; ; ) {
    const page = await kv.page({ gte, lt: prefixEnd(prefix), limit: PAGE, keysOnly: true });
    if (page.length > 0) yield page.map(([key]) => read(key));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    gte = `${last[0]}\0`;
  }
}
