/**
 * Waits until what is kept of a followed peer is as new as a page that it has just sent. The peer's changes come in by another stream, a
 * moment before or after the page. Once they have, the list can show what is kept instead of the page, and a watch goes on from it without
 * showing anything older.
 */
import type { KeptView } from '../cache/kept-view.ts';
import { objectOf } from '../peer/row.ts';
import type { PeerRow } from '../peer/rows-decoder.ts';

/** Milliseconds by which changes may arrive later than a page. */
const BEHIND_MS = 1_000;

export interface GivenPage {
  rows: readonly PeerRow[];
  /** The peer's version of the page. */
  version: number;
  /** The page begins after the name `after`, and covers all names up to and including `upTo`; undefined: to the end. */
  after: string;
  upTo: string | undefined;
  /** True for rows that the page would show. */
  matches: (json: string) => boolean;
}

/** False if the stream broke off, or if it took too long. */
export async function caughtUp(kept: KeptView, peer: string, page: GivenPage, signal: AbortSignal): Promise<boolean> {
  const { leases } = kept;
  const stream = leases.streamOf(peer);
  const end = performance.now() + BEHIND_MS;
  while (stream !== undefined && leases.streamOf(peer) === stream) {
    const { promise, resolve } = Promise.withResolvers<void>();
    // subscribe before looking, so as to miss nothing in between
    const forget = leases.progress.once(resolve);
    const left = end - performance.now();
    const timer = setTimeout(resolve, Math.max(0, left));
    const wake = () => resolve();
    signal.addEventListener('abort', wake, { once: true });
    try {
      if (await isAsNew(kept, peer, page)) return leases.streamOf(peer) === stream;
      if (left <= 0 || signal.aborted) return false;
      await promise;
    } finally {
      forget();
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
    }
  }
  return false;
}

async function isAsNew(kept: KeptView, peer: string, { rows, version, after, upTo, matches }: GivenPage): Promise<boolean> {
  const seen = kept.leases.seen(peer);
  if (seen >= version) return true;
  const given = new Map(rows.map(({ name, json }) => [name, json]));
  for (let from = after, more = true; more; ) {
    const held = await kept.rows(peer, from);
    for (const { name, json } of held) {
      if (upTo !== undefined && name > upTo) break;
      const shown = given.get(name);
      given.delete(name);
      if (shown === json) continue;
      // a kept row that the page should show but does not has been deleted since: that change is still to come
      if (shown === undefined ? versionOf(json) <= version && matches(json) : versionOf(json) < versionOf(shown)) return false;
    }
    const last = held.at(-1)?.name;
    more = last !== undefined && (upTo === undefined || last < upTo);
    from = last ?? from;
  }
  return given.size === 0;
}

function versionOf(json: string): number {
  return Number(objectOf(json).metadata.resourceVersion);
}
