/**
 * Pages of lists as they were read last, for as long as no object of their kind changes: those who poll ask for the same pages again and again, and most
 * kinds change seldom. Bounded in bytes, those last used are kept. Knows of every change, so that it never shows a page that is not of the version asked for.
 */
import { kindPrefix } from './keys.ts';
import { pageOf, type RowPage } from './listing.ts';
import type { RawListPage } from './local-store.types.ts';
import type { Change } from './object-store.types.ts';
import type { Selection } from './selection.ts';

/** Bytes of all pages kept, and of the lists that are made of them: a handful of pages as kubectl asks for them. */
const CACHE_BYTES = 4 * 1024 * 1024;
/** Bytes of one page at most: a list of very much leaves those of others in peace. */
const PAGE_BYTES = CACHE_BYTES / 4;
/** What a row takes beside its bytes. */
const ROW_BYTES = 200;
/** Its bytes are here, and in the list in one piece, which whoever answers with the page keeps as long as the page is here. */
const COPIES = 2;

interface Kept {
  /** At which it was read. */
  version: number;
  page: RowPage;
  /** As it was shown last: who made something of it knows it again. */
  shown: { version: number; page: RawListPage } | undefined;
  bytes: number;
}

/** Which page: rows of a selection by range alone. */
export interface PageKey {
  selection: Pick<Selection, 'prefix' | 'gte' | 'lt'>;
  limit: number;
  after: string | undefined;
}

export class PageCache {
  readonly #limit: number;
  /** The version up to which nothing is known to have changed. */
  readonly #base: number;
  readonly #pages = new Map<string, Kept>();
  /** By the prefix of a kind: the version of its last change. */
  readonly #changed = new Map<string, number>();
  #bytes = 0;

  constructor(base: number, limit = CACHE_BYTES) {
    this.#base = base;
    this.#limit = limit;
  }

  /** The page as it stands at a version, if it is known: the same one as long as the version is. */
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

  /** Keeps a page that was read at a version. */
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

  /** To be called when a change is durable, before anybody can read it. */
  changed({ ref, version }: Pick<Change, 'ref' | 'version'>): void {
    // what is not right any more is let go when it is asked for, or when it is the oldest: writers do not wait for that
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
  // no part can hold a space, but for the last
  return `${selection.gte} ${selection.lt} ${limit} ${after}`;
}
