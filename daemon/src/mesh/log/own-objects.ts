/** This node's own objects of shared kinds, as the store has them and as a domain sees them. */
import { KINDS, kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { ListPage, ObjectStore } from '../../store/object-store.types.ts';
import { LIST_PAGE } from './limits.ts';
import { keyOfOwn } from './object-place.ts';
import { publishedObject } from './published-object.ts';

/** In an object's domains: all that this node is in. */
const EVERYWHERE = '*';

/** All stored own objects of shared kinds, by key in the log. `self` is this node's name. */
export async function ownShared(store: ObjectStore, self: string): Promise<Map<string, ObjectRef>> {
  const refs = new Map<string, ObjectRef>();
  for (const { group, plural, shared } of KINDS) {
    for (let next: string | undefined = shared ? '' : undefined; next !== undefined; ) {
      const page: ListPage = await store.list({ group, plural, limit: LIST_PAGE, continue: next });
      for (const { metadata } of page.items) {
        const ref = { group, plural, namespace: metadata.namespace ?? '', name: metadata.name };
        const key = keyOfOwn(ref, self);
        if (key !== undefined && (await store.originOf(ref)) === 'own') refs.set(key, ref);
      }
      next = page.continue;
    }
  }
  return refs;
}

/** What a domain gets to see of an object; undefined if the object does not name the domain. */
export function publishedOf(ref: { group: string; plural: string }, object: ApiObject | undefined, domain: string): ApiObject | undefined {
  const kind = kindByPlural(ref.group, ref.plural);
  const domains = (object === undefined ? undefined : kind?.domainsOf?.(object)) ?? [];
  if (object === undefined || kind === undefined || !(domains.includes(domain) || domains.includes(EVERYWHERE))) return undefined;
  return publishedObject(kind, object, domain);
}
