/**
 * Lists and watches of what this daemon stores, as one principal sees it: rows that it may not see are left out, and rows that it
 * may only DISCOVER show their name. Whoever may see everything of a kind gets the stored bytes unchanged.
 */
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { RawListPage } from '../../store/local-store.types.ts';
import type { ListPage, ListQuery, WatchEvent, WatchQuery } from '../../store/object-store.types.ts';
import { onward, type Soon } from '../flow/soon.ts';
import { type Views, viewOf } from './views.ts';
import { isRemote, shownAs, visibilityIn } from './visibility.ts';
import { watchVisible } from './visible-watch.ts';

/** How often a list is read again if rights change meanwhile. */
const MAX_ATTEMPTS = 3;

/** One page of rows as JSON; immediately if it is in memory. FORBIDDEN for a user of another node who may see nothing of the kind. */
export function visibleRows(api: Views, principal: Principal, query: ListQuery, attempt = 1): Soon<RawListPage> {
  const { generation } = api.views;
  return onward(readRows(api, principal, query), (page) => {
    const version = Number(page.resourceVersion);
    if (generation !== api.views.generation) {
      // if rights changed while it was read, it is a mixture
      if (attempt < MAX_ATTEMPTS) return visibleRows(api, principal, query, attempt + 1);
      api.views.mixed(principal, query, version);
    } else if (query.continue === undefined || query.continue === '') api.views.looked(principal, query, version);
    return page;
  });
}

function readRows(api: Views, principal: Principal, query: ListQuery): Soon<RawListPage> {
  const view = viewOf(api, principal, query);
  const mayShow = (version: number) => api.views.covers(principal, version);
  if (view === 'all' && !isRemote(principal)) return api.store.listRaw(query, { mayShow });
  const visibility = visibilityIn(query, view, principal, api.node.name);
  return api.store.listRaw(query, { mayShow, filter: (object) => shownAs(visibility(object), object) });
}

/** Like `visibleRows`, but parsed. */
export async function visibleObjects(api: Views, principal: Principal, query: ListQuery): Promise<ListPage> {
  const page = await visibleRows(api, principal, query);
  return { ...page, items: page.items.map(parseRow) };
}

function parseRow(row: Uint8Array): ApiObject {
  // written by this store in this form
  return JSON.parse(Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('utf8'));
}

/**
 * Follows the rows that a principal sees, also when its rights change, so that a client's cache holds exactly what it may see.
 * Throws for selectors that cannot be read, GONE if it cannot resume from the given version, FORBIDDEN as `visibleRows`.
 */
export function visibleWatch(api: Views, principal: Principal, query: WatchQuery): AsyncIterable<WatchEvent> {
  if (principal.type === 'operator') return api.store.watch(query);
  viewOf(api, principal, query);
  return watchVisible(api, principal, query);
}
