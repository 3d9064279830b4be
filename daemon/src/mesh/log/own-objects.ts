/** This node's own objects of shared kinds, as the store has them and as a domain gets to see them. */
import { KINDS, kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects.ts';
import type { ListPage, ObjectStore } from '../../store/object-store.types.ts';
import { LIST_PAGE } from './limits.ts';
import { keyText, publishedObject } from './published-object.ts';

/** All own objects of shared kinds that are stored, by key. */
export async function ownShared(store: ObjectStore): Promise<Map<string, ObjectRef>> {
  const refs = new Map<string, ObjectRef>();
  for (const { group, plural, shared } of KINDS) {
    for (let next: string | undefined = shared ? '' : undefined; next !== undefined; ) {
      const page: ListPage = await store.list({ group, plural, limit: LIST_PAGE, continue: next });
      for (const { metadata } of page.items) {
        const ref = { group, plural, namespace: metadata.namespace ?? '', name: metadata.name };
        if ((await store.originOf(ref)) === 'own') refs.set(keyText(ref), ref);
      }
      next = page.continue;
    }
  }
  return refs;
}

/** What is published of an object into a domain; undefined if the object does not name it. */
export function publishedOf(ref: { group: string; plural: string }, object: ApiObject | undefined, domain: string): ApiObject | undefined {
  const kind = kindByPlural(ref.group, ref.plural);
  if (object === undefined || kind?.domainsOf?.(object).includes(domain) !== true) return undefined;
  return publishedObject(kind, object, domain);
}
