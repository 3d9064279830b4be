import type { ApiObject } from '../../../protocol/objects.ts';
import type { ListPage, ListQuery, ObjectStore } from './object-store.types.ts';

export interface RawListPage extends Omit<ListPage, 'items'> {
  /** Each object as its stored JSON (UTF-8), ready to be copied into an answer. */
  items: Uint8Array[];
}

export interface RawListOptions {
  /** Asked of each object that the selectors want: what to show of it, or undefined to leave it out, before `limit` counts it. */
  filter?: (object: ApiObject) => ApiObject | undefined;
}

/** The object store as this process has it: what the API needs beyond the port that all parts share. */
export interface LocalStore extends ObjectStore {
  /** `list` without parsing and serialising again (objects are only parsed where a selector has to look into them). */
  listRaw(query: ListQuery, options?: RawListOptions): Promise<RawListPage>;
}
