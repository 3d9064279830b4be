/**
 * Caches pages of lists for as long as no object of their kind changes: pollers ask for the same pages again and again, and most kinds
 * change seldom. Bounded in bytes; evicts the least recently used. Follows every change, so that it never returns a page of another version
 * than the one requested.
 */
import { kindPrefix } from './keys.ts';
import { pageOf, type RowPage } from './listing.ts';
import type { RawListPage } from './local-store.types.ts';
import type { Change } from './object-store.types.ts';
import type { Selection } from './selection.ts';

/** Bytes of all cached pages, and of the lists made of them: a handful of pages as kubectl requests them. */
const CACHE_BYTES = 4 * 1024 * 1024;
/** The largest page kept, so that a huge list does not evict all others. */
const PAGE_BYTES = CACHE_BYTES / 4;
/** Overhead of a row beside its bytes. */
const ROW_BYTES = 200;
/** A page's bytes exist twice: here, and in the serialised list that responses keep for as long as the page is cached. */
const COPIES = 2;

interface Kept {
  /** The version at which it was read. */
  version: number;
  page: RowPage;
  /** The page as last returned. Callers recognise the identical object, and what they have derived from it. */
  shown: { version: number; page: RawListPage } | undefined;
  bytes: number;
}

/** Identifies a page of a selection that is a plain key range. */
export interface PageKey {
  selection: Pick<Selection, 'prefix' | 'gte' | 'lt'>;
  limit: number;
  after: string | undefined;
}

export class PageCache {
  readonly #limit: number;
  /** The version at the start; a kind without an entry in `#changed` has not changed since. */
  readonly #base: number;
  readonly #pages = new Map<string, Kept>();
  /** The version of the last change of each kind, by the kind's prefix. */
  readonly #changed = new Map<string, number>();
  #bytes = 0;

  constructor(base: number, limit = CACHE_BYTES) {
    this.#base = base;
    this.#limit = limit;
  }

  /** The page at a version, if it is cached. Identical for as long as the version is. */
  at(version: number, key: PageKey): RawListPage | undefined {
    const text = textOf(key);
    const kept = this.#pages.get(text);
    const changedAt = this.#changedAt(key.selection.prefix);
    if (kept === undefined || version < changedAt) return undefined;
    this.#pages.delete(text);
    if (kept.version < changedAt) {
      this.#bytes -= kept.bytes;
      return undefined;
    }
    this.#pages.set(text, kept);
    if (kept.shown?.version !== version) kept.shown = { version, page: pageOf(kept.page, version) };
    return kept.shown.page;
  }

  /** Caches a page that was read at a version. */
  keep(version: number, key: PageKey, page: RowPage): void {
    const { prefix } = key.selection;
    const bytes = page.items.reduce((sum, item) => sum + COPIES * item.length + ROW_BYTES, ROW_BYTES);
    if (version < this.#changedAt(prefix) || bytes > Math.min(PAGE_BYTES, this.#limit)) return;
    const text = textOf(key);
    this.#drop(text);
    this.#pages.set(text, { version, page, shown: undefined, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#pages.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.#drop(oldest);
    }
  }

  /** To be called when a change is durable, before it can be read. */
  changed({ ref, version }: Pick<Change, 'ref' | 'version'>): void {
    // outdated pages are dropped when they are requested or are the oldest, so that writers do not wait for that
    this.#changed.set(kindPrefix(ref.group, ref.plural), version);
  }

  #changedAt(prefix: string): number {
    return this.#changed.get(prefix) ?? this.#base;
  }

  #drop(text: string): void {
    this.#bytes -= this.#pages.get(text)?.bytes ?? 0;
    this.#pages.delete(text);
  }
}

function textOf({ selection, limit, after = '' }: PageKey): string {
  // only the last part can contain a space
  return `${selection.gte} ${selection.lt} ${limit} ${after}`;
}
