/** One node's part of a list over nodes: its rows in name order, page by page, with at most one page in memory. */
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import type { UserPrincipal } from '../../../../../protocol/rights/principal.ts';
import type { Json, LocalRows, Selectors } from '../federation.types.ts';
import type { PeerPage } from '../peer/peer-page.ts';
import type { PeerRow } from '../peer/rows-decoder.ts';
import type { PeerNode } from '../peer-api.types.ts';

/**
 * Where a node's part goes on: the node's own token for a page, the name after which that page begins, and how many of its rows were given.
 */
export interface Place {
  continue: string;
  before: string;
  given: number;
  /** The last name given. */
  after: string;
}

export const BEGINNING: Place = { continue: '', before: '', given: 0, after: '' };

export type Given = { items: Json[]; last: string } | { failed: Exclude<PeerPage, { outcome: 'page' }> };

export interface Turn {
  readonly namespace: string;
  /** The other node; undefined for this one. */
  readonly peer: PeerNode | undefined;
  /** Returns the next rows: at least one, unless the node is done. */
  take(limit: number): Promise<Given>;
  /** Begins to fetch what the next `take` needs, if it is not there yet. */
  prefetch(limit: number, maxBytes: number): void;
  done: boolean;
  place: Place;
}

/** Requests a page that begins at `place`. */
export type FetchPage = (place: Place, limit: number, maxBytes: number) => Promise<PeerPage>;

/** Bytes of a page that is fetched when it is the peer's turn. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Bytes of a page that is read again up to where it was cut off: it may hold one row more. */
const AGAIN_BYTES = 2 * MAX_PAGE_BYTES;

export class PeerTurn implements Turn {
  readonly namespace: string;
  readonly peer: PeerNode;
  done = false;
  place: Place;
  readonly #fetch: FetchPage;
  #coming: Promise<PeerPage> | undefined;
  #page: { rows: PeerRow[]; at: number; continue: string; cut: boolean } | undefined;
  /**
   * A page that was cut off has no token for the next one, so it is read again: with more rows after it, or, if this is set, with the same
   * number of rows, only for the token. That is when it was larger than half a page, or brought no new rows.
   */
  #again = false;

  constructor(peer: PeerNode, place: Place, fetch: FetchPage) {
    this.peer = peer;
    this.namespace = peer.namespace;
    this.place = place;
    this.#fetch = fetch;
  }

  prefetch(limit: number, maxBytes: number): void {
    if (this.done || this.#page !== undefined || this.#coming !== undefined) return;
    const { given } = this.place;
    this.#coming = this.#again ? this.#fetch(this.place, given, AGAIN_BYTES) : this.#fetch(this.place, limit + given, maxBytes);
    this.#coming.catch(() => undefined);
  }

  async take(limit: number): Promise<Given> {
    while (!this.done) {
      if (this.#page === undefined) {
        this.prefetch(limit, MAX_PAGE_BYTES);
        const page = await this.#coming;
        this.#coming = undefined;
        if (page === undefined) continue;
        if (page.outcome !== 'page') return { failed: page };
        if (page.cut && this.#again) return { failed: { outcome: 'failed', reason: 'it sent other rows than before, and too many' } };
        this.#open(page);
      }
      const rows = this.#give(limit);
      const last = rows.at(-1)?.name;
      if (last !== undefined) return { items: rows.map(({ json }) => json), last };
    }
    return { items: [], last: this.place.after };
  }

  #open({ rows, continue: next, cut }: Extract<PeerPage, { outcome: 'page' }>): void {
    const { after } = this.place;
    let at = 0;
    while (at < rows.length && (rows[at]?.name ?? '') <= after) at += 1;
    this.#again = cut && (at === rows.length || bytesOf(rows) > MAX_PAGE_BYTES / 2);
    this.#page = { rows, at, continue: next, cut };
    this.place = { ...this.place, given: at };
    this.#closeIfEmpty();
  }

  #give(limit: number): PeerRow[] {
    const page = this.#page;
    if (page === undefined) return [];
    const rows = page.rows.slice(page.at, page.at + limit);
    page.at += rows.length;
    this.place = { ...this.place, given: page.at, after: rows.at(-1)?.name ?? this.place.after };
    this.#closeIfEmpty();
    return rows;
  }

  #closeIfEmpty(): void {
    const page = this.#page;
    if (page === undefined || page.at < page.rows.length) return;
    this.#page = undefined;
    // cut off: `place` still names the page and how much of it was given
    if (page.cut) return;
    if (page.continue === '') this.done = true;
    else this.place = { continue: page.continue, before: page.rows.at(-1)?.name ?? this.place.before, given: 0, after: this.place.after };
  }
}

function bytesOf(rows: readonly PeerRow[]): number {
  return rows.reduce((bytes, { json }) => bytes + json.length, 0);
}

/** Which of the own rows, and at which version. */
export type LocalQuery = Selectors & Pick<Kind, 'group' | 'plural'> & { version: number };

export class LocalTurn implements Turn {
  readonly namespace: string;
  readonly peer = undefined;
  done = false;
  place: Place;
  readonly #local: LocalRows;
  readonly #user: UserPrincipal;
  readonly #query: LocalQuery;

  constructor(namespace: string, place: Place, local: LocalRows, user: UserPrincipal, query: LocalQuery) {
    this.namespace = namespace;
    this.place = place;
    this.#local = local;
    this.#user = user;
    this.#query = query;
  }

  /** Own rows need no fetching ahead. */
  prefetch(): void {}

  async take(limit: number): Promise<Given> {
    const { items, continue: next = '' } = await this.#local.page(this.#user, {
      ...this.#query,
      namespace: this.namespace,
      limit,
      ...(this.place.continue === '' ? {} : { continue: this.place.continue }),
    });
    const last = items.at(-1);
    const after = last === undefined ? this.place.after : nameOf(last);
    this.done = next === '';
    this.place = { continue: next, before: after, given: 0, after };
    return { items, last: after };
  }
}

function nameOf(json: Uint8Array): string {
  const { metadata }: { metadata: { name: string } } = JSON.parse(
    Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'),
  );
  return metadata.name;
}
