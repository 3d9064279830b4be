/** This node's rows for lists and watches over nodes: exactly what each user may see of them. */
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { Access } from '../../access/access.types.ts';
import type { LocalStore, RawListPage } from '../../store/local-store.types.ts';
import type { ListQuery, WatchEvent, WatchQuery } from '../../store/object-store.types.ts';
import { DerivingStore } from '../derived/deriving-store.ts';
import { ViewHistory } from './view-history.ts';
import type { Views } from './views.ts';
import { visibleRows, visibleWatch } from './visible-rows.ts';

export interface VisibleLocalRows {
  page(user: UserPrincipal, query: ListQuery): Promise<RawListPage>;
  watch(user: UserPrincipal, query: WatchQuery): AsyncIterable<WatchEvent>;
  version(): number;
}

export function createLocalRows(options: {
  store: LocalStore;
  access: Pick<Access, 'view' | 'onChange'>;
  node: { name: string };
}): VisibleLocalRows {
  const { access, node } = options;
  const store = new DerivingStore(options.store);
  const views: Views = { store, access, node, views: new ViewHistory(access, store) };
  return {
    page: async (user, query) => visibleRows(views, user, query),
    watch: (user, query) => visibleWatch(views, user, query),
    version: () => store.version(),
  };
}
